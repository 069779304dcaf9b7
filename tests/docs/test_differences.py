"""The page on coming from sdss-fliswarm lists the differences that are measured, all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.beside.differences import DIFFERENCES

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "migrate.md"


@pytest.mark.parametrize("why", [difference.why for difference in DIFFERENCES])
def test_the_page_has_every_difference(why: str) -> None:
    text = " ".join(PAGE.read_text().split()).lower()
    assert why.lower() in text


def test_the_page_has_no_difference_that_is_gone() -> None:
    listed = PAGE.read_text().split("<!-- side-by-side: begin -->")[1].split("<!--")[0]
    assert listed.count("\n- ") == len(DIFFERENCES)
