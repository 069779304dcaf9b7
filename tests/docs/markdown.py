"""The pages and what is in them: code blocks with their marks, commands with their output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_MARK = re.compile(r"^ *<!-- (?P<name>run|file)(: (?P<value>.*?))? -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: the file.
        line: where its text begins, from 1.
        info: what stands behind the fence, for instance ``console``.
        mark: name and value of the comment above it (``<!-- run: wait -->``); else empty.
        text: without the indentation of the fence.
    """

    page: Path
    line: int
    info: str
    mark: tuple[str, str]
    text: str

    @property
    def place(self) -> str:
        """For error messages and names of tests."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """The commands of a console block, each with the output shown."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    mark = ("", "")
    open_at: re.Match[str] | None = None
    begin, lines = 0, list[str]()
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if open_at is not None:
            if fence and not fence["info"]:
                yield Block(page, begin, open_at["info"], mark, "\n".join(lines) + "\n")
                open_at, mark = None, ("", "")
            else:
                lines.append(line.removeprefix(open_at["indent"]))
        elif fence:
            open_at, begin, lines = fence, number + 1, []
        elif found := _MARK.match(line):
            mark = (found["name"], found["value"] or "")
        elif line.strip():
            mark = ("", "")
    assert open_at is None, f"{page}: a block is not closed"


def all_blocks(info: str) -> list[Block]:
    """The blocks of all pages whose fence begins with this word."""
    return [block for page in PAGES for block in blocks(page) if block.info.split(" ")[0] == info]


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    inside = False
    found: set[str] = set()
    for line in page.read_text("utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside and (match := re.match(r"#+ (.*)", line)):
            words = re.sub(r"[^\w\- ]", "", match[1].lower())
            found.add(words.replace(" ", "-"))
    return found
