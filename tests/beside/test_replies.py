"""Every keyword line of sdss-fliswarm 0.7.0 comes from us too, for the same commands."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict

import pytest

from .compare import Verdict, compare
from .differences import DIFFERENCES
from .record import Pair, Record
from .script import NAMES, names

pytestmark = pytest.mark.beside

CASES = [
    *(("same file", step) for step in names("main")),
    *(("documented", step) for step in names("main")),
    *(("foreign", step) for step in names("foreign")),
    *(("power", step) for step in names("power")),
]
EVERYBODY = ("same file", "documented", "foreign", "power")


def judge(pair: Pair, step: str) -> Verdict:
    if step == "everybody":
        return compare(step, pair.old.everybody, pair.ours.everybody, DIFFERENCES)
    return compare(step, pair.old.steps[step], pair.ours.steps[step], DIFFERENCES)


@pytest.mark.parametrize(("case", "step"), CASES)
def test_every_old_line_comes_from_us(pairs: dict[str, Pair], case: str, step: str) -> None:
    pair = pairs[case]
    faults = judge(pair, step).faults
    assert not faults, "\n".join([*faults, "ours:", *pair.ours.steps[step]])


@pytest.mark.parametrize("case", EVERYBODY)
def test_every_old_line_to_everybody_comes_from_us(pairs: dict[str, Pair], case: str) -> None:
    faults = judge(pairs[case], "everybody").faults
    assert not faults, "\n".join([*faults, "ours:", *pairs[case].ours.everybody])


def test_no_row_is_idle(pairs: dict[str, Pair]) -> None:
    """What is in the table of differences is one; nothing hides behind an old row or step."""
    used: dict[tuple[str, str], set[str]] = defaultdict(set)
    for case, step in (*CASES, *((case, "everybody") for case in EVERYBODY)):
        for key in judge(pairs[case], step).used:
            used[key].add(step)
    for row in DIFFERENCES:
        idle = [old for old, _ in row.rows if not used[row.why, old]]
        assert not idle, row.why
        needed = set().union(*(used[row.why, old] for old, _ in row.rows))
        assert set(row.steps) <= needed, row.why


@pytest.mark.parametrize("case", ["same file", "documented"])
def test_the_end_comes_once_and_last(pairs: dict[str, Pair], case: str) -> None:
    """As readers expect: > first, : or f last, and filename_bundle just before."""
    for step, lines in pairs[case].ours.steps.items():
        if step in ("greeting", "broadcasts") or step.startswith("simulate a file"):
            continue
        codes = [line.split()[2] for line in lines if line.split()[1] != "0"]
        if step.startswith("simulate one"):
            assert codes.count(":") == 2, step
            continue
        assert codes[0] == ">", step
        assert codes[-1] in (":", "f"), step
        assert not {":", "f"} & set(codes[:-1]), step
        bundles = [i for i, line in enumerate(lines) if " filename_bundle=" in line]
        assert bundles in ([], [len(lines) - 2]), step


def test_the_bundle_of_one_talk(pairs: dict[str, Pair]) -> None:
    step = "talk -c gfa -- expose -n 13 1.0"
    for record in (pairs["same file"].old, pairs["same file"].ours):
        assert sum(" filename_bundle=" in line for line in record.steps[step]) == 1


def test_both_layouts_give_the_same(pairs: dict[str, Pair]) -> None:
    """Ours with the file of 0.7 says what it says with the documented one, times apart."""
    one, other = pairs["same file"].ours, pairs["documented"].ours
    for step in names("main"):
        assert _timeless(one, step) == _timeless(other, step), step


def _timeless(record: Record, step: str) -> list[str]:
    """The lines of a step, sorted, without times and command numbers."""
    kept = [
        line for line in record.steps[step] if not re.search(r" (nodeState|factAge|verdict)=", line)
    ]
    return sorted(re.sub(r"^\d+ \d+ ", "", line) for line in kept)


@pytest.mark.parametrize("step", ["help", "help talk", "help reconnect"])
def test_help_names_what_the_old_one_has(pairs: dict[str, Pair], step: str) -> None:
    """Each command and each option, though in other words."""
    old, ours = (_helped(record.steps[step]) for record in _both(pairs))
    assert old
    assert old <= ours


def _both(pairs: dict[str, Pair]) -> tuple[Record, Record]:
    return pairs["same file"].old, pairs["same file"].ours


def _helped(lines: list[str]) -> set[str]:
    """The commands and options that a help lists: the first words of its indented lines."""
    words: set[str] = set()
    for line in lines:
        if match := re.search(r'help="  (\S.*?)  ', line):
            words |= {word for word in re.split(r"[ ,]+", match[1]) if not word.isupper()}
    return words - {"--help"}


@pytest.mark.parametrize("camera", NAMES)
def test_a_camera_hears_the_same_commands(pairs: dict[str, Pair], camera: str) -> None:
    """Word for word and in the same order; without what ours asks of its own accord."""
    old, ours = (_heard(record.cameras[camera]) for record in _both(pairs))
    assert ours == old
    assert old


def _heard(commands: list[str]) -> list[str]:
    """What is no ping and no list; ours keeps the quotes of a word with a space, see the table."""
    return [" ".join(shlex.split(c)) for c in commands if c not in ("ping", "list", "")]


@pytest.mark.parametrize("case", ["same file", "documented"])
def test_no_false_alarm(pairs: dict[str, Pair], case: str) -> None:
    """Nothing goes wrong in the main script but what cameras say: no other warning to all."""
    said = [line for line in pairs[case].ours.everybody if line.startswith("0 0 w ")]
    foreign = re.compile(r"0 0 w (container=|nodeState=\w+,DEGRADED,container,.* made by hand)")
    false = [x for x in said if not foreign.match(x) and x not in pairs[case].old.everybody]
    assert not false, "\n".join(pairs[case].ours.everybody)


@pytest.mark.parametrize("case", EVERYBODY)
def test_the_hub_hears_the_same(pairs: dict[str, Pair], case: str) -> None:
    """Ours asks for its nub again whenever it connects again."""
    assert Counter(pairs[case].old.hub) <= Counter(pairs[case].ours.hub)
    assert set(pairs[case].old.hub) == set(pairs[case].ours.hub)


@pytest.mark.parametrize("case", EVERYBODY)
def test_the_hub_has_one_connection(pairs: dict[str, Pair], case: str) -> None:
    """Also after tron-reconnect, in the script with the reboot."""
    assert pairs[case].old.connections == 1
    assert pairs[case].ours.connections == 1


@pytest.mark.parametrize("node", NAMES)
def test_the_power_goes_off_and_on(pairs: dict[str, Pair], node: str) -> None:
    """At each node's own actor and outlet, in this order."""
    for record in (pairs["power"].old, pairs["power"].ours):
        sent = [line.split()[2] for line in record.hub if f"nps_{node} " in line]
        assert sent == ["OFF", "ON"]
