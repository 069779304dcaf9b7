"""What `--since` means: a time of day, a date, a date and time, or how long ago. All UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

FORMS = "02:10, 02:10:30, 2026-11-20, 2026-11-20T02:10, 90s, 10m, 2h or 3d"
"""What may be given; for help texts."""
_AGO = re.compile(r"(\d{1,9})\s*([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?Z?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?", re.ASCII)


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that a user means, in UTC.

    Args:
        text: one of `FORMS`; a time of day is the last such time before `now`.
        now: the present, with its time zone.

    Raises:
        ValueError: it cannot be read or lies in the future; the words are for the user.
    """
    now = now.astimezone(UTC)
    try:
        found = _read(text.strip(), now)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise ValueError(f"{text!r} is no time; give {FORMS} (UTC)")
    if found > now:
        raise ValueError(f"{text!r} is in the future; it is {now:%Y-%m-%d %H:%M:%S} UTC")
    return found


def _read(text: str, now: datetime) -> datetime | None:
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    if clock := _CLOCK.fullmatch(text):
        at = time(int(clock[1]), int(clock[2]), int(clock[3] or 0), tzinfo=UTC)
        today = datetime.combine(now.date(), at)
        return today if today <= now else today - timedelta(days=1)
    if _DATE.fullmatch(text):
        return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    return None
