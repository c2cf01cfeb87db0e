"""Charts as SVG, made on the server: the same drawing on a page and in a PDF.

Colours are given twice: as attributes, which is what a PDF sees, and as classes (`s1`, `s2`, ... `axis`), by which
the page's stylesheet overrides them for light and dark. Nothing needs script or a style attribute. Every chart
has a title, a description in words, and a tooltip per mark; series also differ by a label, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.utils.safestring import SafeString

from backoffice.ui import formats
from backoffice.ui.markup import join, tag

Number = Decimal | int
_COLOURS = ("#3355c4", "#b87b12", "#2e8b6f", "#b4436c", "#6b7a90", "#7a5cc0")
_INK = "#5b6472"
_RULE = "#d9dde3"
_FONT = "system-ui, sans-serif"
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 20
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_LETTER = 6  # pixels of a letter at 11 px, about
_LARGE = 600  # from this width on, a chart takes a whole line of the page


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of values, one for each label of the chart; None leaves a gap."""

    label: str
    values: Sequence[Number | None]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plot's box in pixels and its scale."""

    width: int
    height: int
    low: Decimal
    high: Decimal
    ticks: tuple[Decimal, ...]
    count: int

    @property
    def slot(self) -> Decimal:
        """Pixels for one label."""
        return Decimal(self.width - _LEFT - _RIGHT) / max(self.count, 1)

    def x(self, index: int) -> Decimal:
        """The middle of a label's slot."""
        return _LEFT + self.slot * index + self.slot / 2

    def y(self, value: Number) -> Decimal:
        room = Decimal(self.height - _TOP - _BOTTOM)
        return _TOP + room * (self.high - value) / (self.high - self.low)


def bars(
    title: str, labels: Sequence[str], values: Sequence[Number], *, unit: str = "", width: int = 400, height: int = 160
) -> SafeString:
    """One bar per label; negative values hang below the zero line."""
    return stacked(title, labels, [Series("", values)], unit=unit, width=width, height=height)


def stacked(
    title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "", width: int = 400, height: int = 160
) -> SafeString:
    """Bars of parts on top of each other; negative parts pile up below the zero line."""
    _same_length(labels, series)
    highs, lows = _piles(labels, series)
    frame = _frame(width, height, [*highs, *lows], len(labels))
    thick = min(frame.slot * Decimal("0.7"), Decimal(36))
    marks: list[SafeString] = []
    for index, label in enumerate(labels):
        up = down = Decimal(0)
        for number, one in enumerate(series):
            value = one.values[index]
            if not value:
                continue
            start, end = (up, up + value) if value > 0 else (down, down + value)
            up, down = (end, down) if value > 0 else (up, end)
            top, bottom = sorted((frame.y(start), frame.y(end)))
            marks.append(
                tag(
                    "rect",
                    tag("title", _says(label, one.label, value, unit)),
                    x=_px(frame.x(index) - thick / 2),
                    y=_px(top),
                    width=_px(thick),
                    height=_px(max(bottom - top, Decimal("0.5"))),
                    class_=f"s{number % 6 + 1}",
                    fill=_COLOURS[number % 6],
                )
            )
    return _chart(frame, marks, title=title, labels=labels, series=series, unit=unit)


def line(
    title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "", width: int = 400, height: int = 160
) -> SafeString:
    """One line per series over evenly spaced labels; a None breaks the line."""
    _same_length(labels, series)
    frame = _frame(width, height, [value for one in series for value in one.values if value is not None], len(labels))
    marks: list[SafeString] = []
    for number, one in enumerate(series):
        colour, css = _COLOURS[number % 6], f"s{number % 6 + 1}"
        path = _path(one.values, frame.x, frame.y)
        marks.append(
            tag(
                "path",
                d=path,
                class_=f"line {css}",
                fill="none",
                stroke=colour,
                stroke_width="1.5",
                stroke_linejoin="round",
            )
        )
        for index, value in enumerate(one.values):
            if value is not None:
                says = tag("title", _says(labels[index], one.label, value, unit))
                x, y = _px(frame.x(index)), _px(frame.y(value))
                marks.append(tag("circle", says, cx=x, cy=y, r=2, class_=f"dot {css}", fill=colour))
    return _chart(frame, marks, title=title, labels=labels, series=series, unit=unit)


def sparkline(title: str, values: Sequence[Number], *, width: int = 96, height: int = 20) -> SafeString:
    """A line without axes, to stand in a row of text; the last value has a dot."""
    known = list(values)
    low, high = Decimal(min(known, default=0)), Decimal(max(known, default=0))
    room, step = Decimal(height - 6), Decimal(width - 6) / max(len(known) - 1, 1)

    def y(value: Number) -> Decimal:
        return 3 + (room * (high - value) / (high - low) if high != low else room / 2)

    def x(index: int) -> Decimal:
        return 3 + step * index

    parts = [tag("title", title), tag("desc", _summary([Series("", known)], ""))]
    if known:
        path = _path(known, x, y)
        parts.append(tag("path", d=path, class_="line s1", fill="none", stroke=_COLOURS[0], stroke_width="1.25"))
        end = len(known) - 1
        parts.append(tag("circle", cx=_px(x(end)), cy=_px(y(known[end])), r=2, class_="dot s1", fill=_COLOURS[0]))
    return _svg(parts, width, height, "spark")


def _chart(
    frame: _Frame,
    marks: Sequence[SafeString],
    *,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: str,
) -> SafeString:
    named = [one for one in series if one.label]
    legend_height = 18 if named or unit else 0
    parts = [
        tag("title", title),
        tag("desc", _summary(series, unit)),
        *_axes(labels, frame),
        *marks,
        *_legend(named, series, frame, unit),
    ]
    return _svg(parts, frame.width, frame.height + legend_height, "chart large" if frame.width > _LARGE else "chart")


def _svg(parts: Sequence[SafeString], width: int, height: int, css: str) -> SafeString:
    return tag(
        "svg",
        join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_=css,
        font_family=_FONT,
        font_size=11,
    )


def _axes(labels: Sequence[str], frame: _Frame) -> list[SafeString]:
    parts = []
    for tick in frame.ticks:
        y = _px(frame.y(tick))
        rule = "zero" if tick == 0 else "rule"
        colour = _INK if tick == 0 else _RULE
        parts.append(
            tag("line", x1=_LEFT, x2=frame.width - _RIGHT, y1=y, y2=y, class_=rule, stroke=colour, stroke_width="0.75")
        )
        text = _short(tick)
        parts.append(
            tag("text", text, x=_LEFT - 6, y=_px(frame.y(tick) + 3), class_="axis", fill=_INK, text_anchor="end")
        )
    longest = max((len(label) for label in labels), default=0)
    # Labels that would run into each other are left out evenly; the marks' tooltips still have them.
    every = int((longest * _LETTER + 8) / frame.slot) + 1 if labels else 1
    for index in range(0, len(labels), every):
        parts.append(
            tag(
                "text",
                labels[index],
                x=_px(frame.x(index)),
                y=frame.height - 6,
                class_="axis",
                fill=_INK,
                text_anchor="middle",
            )
        )
    return parts


def _legend(named: Sequence[Series], series: Sequence[Series], frame: _Frame, unit: str) -> list[SafeString]:
    parts, x = [], _LEFT
    for one in named:
        number = list(series).index(one)
        y = frame.height + 3
        parts.append(tag("rect", x=x, y=y, width=8, height=8, class_=f"s{number % 6 + 1}", fill=_COLOURS[number % 6]))
        parts.append(tag("text", one.label, x=x + 12, y=y + 8, class_="axis", fill=_INK))
        x += 28 + len(one.label) * _LETTER
    if unit:
        end = frame.width - _RIGHT
        parts.append(tag("text", unit, x=end, y=frame.height + 11, class_="axis", fill=_INK, text_anchor="end"))
    return parts


def _frame(width: int, height: int, values: Sequence[Number], count: int) -> _Frame:
    """A scale that contains zero and all values, with three to six round ticks."""
    low, high = min([Decimal(0), *map(Decimal, values)]), max([Decimal(0), *map(Decimal, values)])
    if low == high:
        high = low + 1
    rough = (high - low) / 4
    size = Decimal(10) ** rough.adjusted()
    step = next(factor * size for factor in _STEPS if factor * size >= rough)
    first = (low / step).to_integral_value(ROUND_FLOOR)
    last = (high / step).to_integral_value(ROUND_CEILING)
    ticks = tuple(step * number for number in range(int(first), int(last) + 1))
    return _Frame(width, height, ticks[0], ticks[-1], ticks, count)


def _piles(labels: Sequence[str], series: Sequence[Series]) -> tuple[list[Decimal], list[Decimal]]:
    """For every label, how high the positive and how low the negative parts reach together."""
    columns = [[Decimal(one.values[index] or 0) for one in series] for index in range(len(labels))]
    highs = [sum((value for value in column if value > 0), Decimal(0)) for column in columns]
    lows = [sum((value for value in column if value < 0), Decimal(0)) for column in columns]
    return highs, lows


def _path(values: Sequence[Number | None], x: Callable[[int], Decimal], y: Callable[[Number], Decimal]) -> str:
    parts, pen = [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        parts.append(f"{pen}{_px(x(index))} {_px(y(value))}")
        pen = "L"
    return " ".join(parts)


def _summary(series: Sequence[Series], unit: str) -> str:
    """What the chart shows, for those who cannot see it."""
    sentences = []
    for one in series:
        known = [value for value in one.values if value is not None]
        name = f"{one.label}: " if one.label else ""
        if not known:
            sentences.append(f"{name}no values.")
            continue
        low, high, last = (
            f"{formats.grouped(Decimal(value))} {unit}".strip() for value in (min(known), max(known), known[-1])
        )
        sentences.append(f"{name}{len(known)} values, lowest {low}, highest {high}, last {last}.")
    return " ".join(sentences)


def _says(label: str, series: str, value: Number, unit: str) -> str:
    name = f"{series}, {label}" if series else label
    return f"{name}: {formats.grouped(Decimal(value))} {unit}".strip()


def _short(value: Decimal) -> str:
    """A tick's number: 1,500 is 1.5k. Ticks are round, so nothing is lost."""
    for size, letter in ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(10) ** 3, "k")):
        if abs(value) >= size:
            return f"{formats.grouped(value / size)}{letter}"
    return formats.grouped(value)


def _px(value: Decimal) -> str:
    return f"{value:.1f}"


def _same_length(labels: Sequence[str], series: Sequence[Series]) -> None:
    assert all(len(one.values) == len(labels) for one in series), "every series needs one value per label"
