"""What `--since` means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fliswarm.since import parse_since

NOW = datetime(2026, 11, 21, 8, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("02:10", "2026-11-21T02:10:00"),
        ("2:10", "2026-11-21T02:10:00"),
        ("08:30:15", "2026-11-21T08:30:15"),
        ("08:30:16", "2026-11-20T08:30:16"),
        ("23:59", "2026-11-20T23:59:00"),
        ("2026-11-20", "2026-11-20T00:00:00"),
        ("2026-11-20T02:10", "2026-11-20T02:10:00"),
        ("2026-11-20 02:10:30", "2026-11-20T02:10:30"),
        ("2026-11-20T02:10:30Z", "2026-11-20T02:10:30"),
        ("90s", "2026-11-21T08:28:45"),
        ("10m", "2026-11-21T08:20:15"),
        (" 2h ", "2026-11-21T06:30:15"),
        ("3d", "2026-11-18T08:30:15"),
    ],
)
def test_a_time(text: str, meant: str) -> None:
    assert parse_since(text, NOW) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


def test_it_is_utc_wherever_the_computer_stands() -> None:
    santiago = NOW.astimezone(timezone(timedelta(hours=-3)))
    found = parse_since("02:10", santiago)
    assert found == datetime(2026, 11, 21, 2, 10, tzinfo=UTC)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "25:00", "02:60", "2026-13-01", "2026-02-30", "10", "-2h", "2w", "999999999d",
     "2026-11-20T", "٢h"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; give 02:10, .* or 3d"):
        parse_since(text, NOW)


def test_the_future() -> None:
    with pytest.raises(ValueError, match="in the future; it is 2026-11-21 08:30:15 UTC"):
        parse_since("2026-11-22", NOW)
