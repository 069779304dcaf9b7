"""Every link to a file of ours leads somewhere, to its heading too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .markdown import PAGES, ROOT, headings

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    bad = []
    for match in LINK.finditer(page.read_text("utf-8")):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in headings(path)):
            bad.append(target)
    assert not bad


def test_every_page_can_be_reached_from_the_first() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (match["target"] for match in LINK.finditer(page.read_text("utf-8")))
        queue += [
            (page.parent / target.partition("#")[0]).resolve()
            for target in targets
            if not re.match(r"[a-z]+:|#", target)
        ]
    assert set(PAGES) <= seen


def test_every_file_of_the_program_is_explained() -> None:
    text = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    package = ROOT / "python/fliswarm"
    names = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    names |= {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert {name for name in names if f"`{name}`" not in text} == set()
