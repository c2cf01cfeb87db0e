"""Local wall time with the name of a zone to UTC, for files that print one beside the other.

An abbreviation states an offset ("PDT" is UTC-07:00 whatever the date), which also settles the hour that
happens twice in autumn. An IANA name is a rule, so that hour and the one that does not exist in spring
remain doubtful; the caller decides what a doubt is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Minutes east of UTC, and where the abbreviation is used. CST, IST and the like mean several offsets: not here.
_ABBREVIATIONS: dict[str, tuple[int, str]] = {
    "UTC": (0, "UTC"),
    "GMT": (0, "UTC"),
    "Z": (0, "UTC"),
    "WET": (0, "Europe/Lisbon"),
    "WEST": (60, "Europe/Lisbon"),
    "BST": (60, "Europe/London"),
    "CET": (60, "Europe/Amsterdam"),
    "CEST": (120, "Europe/Amsterdam"),
    "EET": (120, "Europe/Athens"),
    "EEST": (180, "Europe/Athens"),
    "EST": (-300, "America/New_York"),
    "EDT": (-240, "America/New_York"),
    "MST": (-420, "America/Denver"),
    "MDT": (-360, "America/Denver"),
    "PST": (-480, "America/Los_Angeles"),
    "PDT": (-420, "America/Los_Angeles"),
    "AEST": (600, "Australia/Sydney"),
    "AEDT": (660, "Australia/Sydney"),
    "JST": (540, "Asia/Tokyo"),
    "HKT": (480, "Asia/Hong_Kong"),
    "SGT": (480, "Asia/Singapore"),
}


class Doubt(str, Enum):
    """Why a computed UTC moment may be an hour (or more) off; NONE when it is certain."""

    NONE = ""
    UNKNOWN_ZONE = "the time zone is not known; the time was taken as UTC"
    OUT_OF_SEASON = "the abbreviation is not in use on that date; its own offset was taken"
    HAPPENS_TWICE = "the hour happens twice when the clock goes back; the first one was taken"
    DOES_NOT_EXIST = "the hour does not exist when the clock goes forward; the offset before it was taken"


@dataclass(frozen=True, slots=True)
class Moment:
    """A UTC moment and how sure it is."""

    utc: datetime
    doubt: Doubt = Doubt.NONE


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo | None:
    """The rule of an IANA name or the fixed offset of an abbreviation; None when it is neither."""
    known = _ABBREVIATIONS.get(name.strip().upper())
    if known:
        return timezone(timedelta(minutes=known[0]))
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def to_utc(local: datetime, name: str) -> Moment:
    """The UTC moment of a naive local time in the zone of that name. Never fails: see Doubt."""
    rule = zone(name)
    if rule is None:
        return Moment(local.replace(tzinfo=UTC), Doubt.UNKNOWN_ZONE)
    utc = local.replace(tzinfo=rule, fold=0).astimezone(UTC)
    known = _ABBREVIATIONS.get(name.strip().upper())
    if known:
        usual = ZoneInfo(known[1])
        offsets = {local.replace(tzinfo=usual, fold=fold).utcoffset() for fold in (0, 1)}
        return Moment(utc, Doubt.NONE if timedelta(minutes=known[0]) in offsets else Doubt.OUT_OF_SEASON)
    if utc.astimezone(rule).replace(tzinfo=None) != local:
        return Moment(utc, Doubt.DOES_NOT_EXIST)
    twice = local.replace(tzinfo=rule, fold=1).utcoffset() != local.replace(tzinfo=rule, fold=0).utcoffset()
    return Moment(utc, Doubt.HAPPENS_TWICE if twice else Doubt.NONE)
