"""Small pieces of pages, as functions from typed values to safe markup.

Tables, template tags (`{% load ui %}`) and, where they fit, PDF reports use the same functions, so that money
looks like money everywhere. No piece says anything by colour alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.utils.safestring import SafeString

from backoffice.kernel import clock
from backoffice.kernel.actor import Person, System
from backoffice.kernel.money import Money
from backoffice.kernel.plain import plain
from backoffice.ui import formats
from backoffice.ui.markup import Child, escape_text, join, safe, tag


class Tone(StrEnum):
    """How something is meant: the colour is the stylesheet's."""

    NEUTRAL = "neutral"
    INFO = "info"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


# A side of a comparison that never says such a thing, which is no difference.
NOT_SAID: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison. None means that a side lacks it, NOT_SAID that it never says such a thing; `third`
    and `fourth` are optional further sides.

    Values are equal when they compare equal; `same` overrules that where equality needs a rule (a time within
    the window, a volume in other units). `usual` says that these sides tell it each in their own way: a difference
    is shown as one, and not as what is wrong.
    """

    label: str
    left: Any
    right: Any
    third: Any = None
    fourth: Any = None
    same: bool | None = None
    usual: bool = False

    def values(self, sides: int) -> list[Any]:
        return [self.left, self.right, self.third, self.fourth][:sides]


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to the page."""

    label: str
    url: str


def money(amount: Decimal | Money | None, currency: str = "") -> SafeString:
    """An amount in major units with its currency's code; negative ones carry their sign and a class."""
    if amount is None:
        return nothing()
    if isinstance(amount, Money):
        return money(amount.amount, amount.currency)
    text = formats.grouped(amount, formats.exponent_of(currency))
    code = f' <span class="ccy">{escape_text(currency)}</span>' if currency else ""
    sign = " neg" if amount < 0 else "" if amount else " zero"
    return safe(f'<span class="money{sign}">{text}{code}</span>')


def lots(volume: Decimal | None) -> SafeString:
    """A volume in lots, with two decimals or as many as it has."""
    return nothing() if volume is None else safe(f'<span class="figure">{formats.grouped(volume, 2)}</span>')


def price(value: Decimal | None, digits: int = 0) -> SafeString:
    """A price with at least the symbol's digits."""
    return nothing() if value is None else safe(f'<span class="figure">{formats.plain(value, digits)}</span>')


def nothing(says: str = "none") -> SafeString:
    """A value that is not there, for eyes and for screen readers."""
    return safe(
        f'<span class="nil"><span aria-hidden="true">–</span><span class="sr">{escape_text(says)}</span></span>'
    )


def pill(label: str, tone: Tone | str = Tone.NEUTRAL) -> SafeString:
    """A state in words, with a dot in its tone."""
    return safe(f'<span class="pill {Tone(tone)}">{escape_text(label)}</span>')


def status(state: str, tones: Mapping[str, Tone], labels: Mapping[str, str] | None = None) -> SafeString:
    """A state code as a pill: tones and labels (`dict(State.choices)`) are the caller's; unknown is neutral."""
    return pill(str((labels or {}).get(state, state)), tones.get(state, Tone.NEUTRAL))


def actor(who: object) -> SafeString:
    """A person, or a job (named "system: ..." as `System.label` does)."""
    if who is None or who == "":
        return nothing("nobody")
    label = who.label if isinstance(who, (Person, System)) else str(who)
    if label.startswith("system: "):
        return safe(f'<span class="actor system" title="a job">{escape_text(label.removeprefix("system: "))}</span>')
    return safe(f'<span class="actor person">{escape_text(label)}</span>')


def moment(value: datetime | None, *, zone: bool = True) -> SafeString:
    """A moment in UTC to the second; the exact one is in the title. `zone=False` where the heading says UTC."""
    if value is None:
        return nothing("never")
    exact = formats.iso(value)
    suffix = '<span class="zone"> UTC</span>' if zone else ""
    return safe(f'<time datetime="{exact}" title="{exact}">{formats.moment(value)}{suffix}</time>')


def wall_time(value: datetime | None) -> SafeString:
    """What a server's own clock said, without a zone: the offset belongs to the connection."""
    if value is None:
        return nothing("never")
    return safe(f'<time>{value:%Y-%m-%d %H:%M:%S}<span class="zone"> server</span></time>')


def day(value: date | None) -> SafeString:
    """A business day."""
    return nothing() if value is None else safe(f'<time datetime="{value:%Y-%m-%d}">{value:%Y-%m-%d}</time>')


_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def age(value: datetime | None, now: datetime | None = None) -> SafeString:
    """How long ago, or how soon, in the largest whole unit: "3 h ago", "in 5 min"."""
    if value is None:
        return nothing("never")
    seconds = int(((now or clock.now()) - value).total_seconds())
    size, unit = next((step for step in _STEPS if abs(seconds) >= step[0]), (1, "s"))
    count = abs(seconds) // size
    text = "just now" if seconds == 0 else f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return tag("time", text, datetime=formats.iso(value), title=f"{formats.moment(value)} UTC")


def business_age(days: int, *, warn: int = 2, bad: int = 5) -> SafeString:
    """An age in business days (organisation.selectors.calendars), louder from `warn` and `bad` days on."""
    tone = Tone.BAD if days >= bad else Tone.WARN if days >= warn else Tone.NEUTRAL
    return tag("span", f"{days} bd", class_=f"age {tone}", title=f"{days} business day{'' if days == 1 else 's'}")


def short_hash(value: str | bytes | memoryview, length: int = 10) -> SafeString:
    """The first characters of a hash; the whole of it in the title and in the clipboard. The driver reads a
    binary column as a memoryview."""
    text = value if isinstance(value, str) else value.hex()
    if not text:
        return nothing()
    whole = escape_text(text)
    short = escape_text(text[:length]) + ("…" if len(text) > length else "")
    return safe(f'<code class="hash" title="{whole}" data-copy="{whole}">{short}</code>')


def shown(value: Any) -> Child:
    """Any plain value in its usual dress."""
    simple: tuple[tuple[type, Any], ...] = (
        (SafeString, lambda v: v),
        (bool, lambda v: "yes" if v else "no"),
        (Money, money),
        (datetime, lambda v: moment(v) if v.utcoffset() is not None else wall_time(v)),
        (date, day),
        (int, str),
        (Decimal, lambda v: safe(f'<span class="figure">{formats.grouped(v)}</span>')),
        (Person, actor),
        (System, actor),
    )
    if value is None or value == "":
        return nothing()
    dress = next((function for kind, function in simple if isinstance(value, kind)), str)
    result: Child = dress(value)
    return result


def pairs(rows: Sequence[tuple[str, Any]]) -> SafeString:
    """Labels with their values; values are typed or already markup."""
    lines = (tag("div", tag("dt", label), tag("dd", shown(value))) for label, value in rows)
    return tag("dl", join(lines), class_="pairs")


def diff(rows: Sequence[Difference], headings: Sequence[str] = ("Books", "Server")) -> SafeString:
    """Two to four sides next to each other. A differing line has a sign, a word and a colour.

    A side that has nothing at all says so once, and the others are compared without it.
    """
    sides = len(headings)
    assert 2 <= sides <= 4, "a comparison has two to four sides"
    silent = {n for n in range(sides) if all(row.values(sides)[n] in (None, NOT_SAID) for row in rows)}
    if len(silent) == sides:
        silent = set()
    head = join(tag("th", heading, scope="col") for heading in ("", *headings))
    sign_head = tag("th", tag("span", "Same or different", class_="sr"), scope="col", class_="sign")
    body = join(_difference(row, sides, silent, len(rows) if n == 0 else 0) for n, row in enumerate(rows))
    table = tag("table", tag("thead", tag("tr", sign_head, head)), tag("tbody", body), class_=f"diff sides-{sides}")
    return tag("div", table, class_="table-wrap", tabindex="0", role="region", aria_label="Comparison")


def _difference(row: Difference, sides: int, silent: set[int], height: int) -> SafeString:
    """A line; `height` is how many lines the cell of a silent side spans, 0 where the first line has it."""
    values = row.values(sides)
    said = [value for n, value in enumerate(values) if n not in silent and value is not NOT_SAID]
    same = row.same if row.same is not None else all(value == said[0] for value in said)
    if len(said) > 1:
        sign = tag("span", "=" if same else "≠", aria_hidden="true")
        word = tag("span", "same" if same else "different, as is usual" if row.usual else "different", class_="sr")
    else:
        same, sign, word = True, None, None
    loud = not same and not row.usual
    cells: list[SafeString | None] = []
    for n, value in enumerate(values):
        if n in silent:
            cells.append(
                tag("td", _missing("nothing on this side"), rowspan=height, class_="silent") if height else None
            )
        elif value is NOT_SAID:
            cells.append(tag("td", nothing("not said here")))
        elif value is None:
            cells.append(tag("td", _missing() if loud else nothing(), class_="other" if loud else ""))
        else:
            cells.append(tag("td", shown(value), class_="other" if loud and value != said[0] else ""))
    label = tag("th", row.label, scope="row")
    return tag("tr", tag("td", sign, word, class_="sign"), label, join(cells), class_="differs" if loud else "same")


def _missing(says: str = "missing") -> SafeString:
    return tag("span", says, class_="missing")


def progress(done: int, total: int, label: str = "") -> SafeString:
    """How far a run is. Nothing known about the end yet: `total` 0 shows a bar without a position."""
    text = f"{done:,} of {total:,}" if total else f"{done:,}"
    bar = tag("progress", text, value=min(done, total) if total else None, max=total or None, aria_label=label or None)
    return tag("span", bar, tag("span", text, class_="figure"), class_="progress")


def empty(title: str, hint: str = "") -> SafeString:
    """What stands where rows would be: what it means and what to do."""
    return tag("div", tag("p", title, class_="title"), tag("p", hint) if hint else None, class_="empty")


def breadcrumbs(steps: Sequence[Crumb], here: str = "") -> SafeString:
    """The way back; `here` names the page itself where no heading follows."""
    items = [tag("li", tag("a", step.label, href=step.url)) for step in steps]
    if here:
        items.append(tag("li", here, aria_current="page"))
    return tag("nav", tag("ol", join(items)), class_="crumbs", aria_label="Breadcrumbs")


def raw(content: Any, label: str = "Raw") -> SafeString:
    """A message as it came: text or bytes as they are, anything else as indented JSON. Escaped, wrapped, to copy."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        text = bytes(content).decode("utf-8", errors="backslashreplace")
    elif isinstance(content, str):
        text = content
    else:
        text = json.dumps(plain(content), indent=2, ensure_ascii=False)
    copy = tag("button", "Copy", type="button", class_="small", data_copy_from="pre")
    head = tag("div", tag("span", label), copy, class_="raw-head")
    return tag("div", head, tag("pre", text, tabindex="0"), class_="raw", data_copy_box=True)
