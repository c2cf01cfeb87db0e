"""`{% load ui %}`: the pieces of components.py in templates. Thin: all logic is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString

from backoffice.kernel.money import Money
from backoffice.ui import components, formats
from backoffice.ui.components import Crumb, Difference, Tone
from backoffice.ui.icons import icon as draw_icon
from backoffice.ui.markup import Child, join, tag

register = template.Library()


@register.simple_tag
def money(amount: Decimal | Money | None, currency: object = "") -> SafeString:
    """{% money row.amount row.currency_id %}"""
    return components.money(amount, str(currency))


@register.simple_tag
def grouped(number: Decimal | int) -> str:
    """{% grouped run.compared %}: a count or a ratio, thousands grouped."""
    return formats.grouped(number)


@register.simple_tag
def lots(volume: Decimal | None) -> SafeString:
    return components.lots(volume)


@register.simple_tag
def price(value: Decimal | None, digits: int = 0) -> SafeString:
    return components.price(value, digits)


@register.simple_tag
def status(state: str, tones: Mapping[str, Tone], labels: Mapping[str, str] | None = None) -> SafeString:
    """{% status row.state tones labels %}, with both maps from the page's context."""
    return components.status(state, tones, labels)


@register.simple_tag
def pill(label: str, tone: str = "neutral") -> SafeString:
    return components.pill(label, tone)


@register.simple_tag
def actor(who: object) -> SafeString:
    return components.actor(who)


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    return components.moment(value)


@register.simple_tag
def day(value: date | None) -> SafeString:
    return components.day(value)


@register.simple_tag
def age(value: datetime | None) -> SafeString:
    return components.age(value)


@register.simple_tag
def business_age(days: int) -> SafeString:
    return components.business_age(days)


@register.simple_tag
def hash(value: str | bytes) -> SafeString:
    return components.short_hash(value)


@register.simple_tag
def pairs(rows: Sequence[tuple[str, Any]]) -> SafeString:
    """{% pairs facts %}: (label, typed value) pairs."""
    return components.pairs(rows)


@register.simple_tag
def diff(rows: Sequence[Difference], *headings: str) -> SafeString:
    """{% diff differences "Books" "Server" %}"""
    return components.diff(rows, headings or ("Books", "Server"))


@register.simple_tag
def compare(rows: Sequence[Difference], headings: Sequence[str]) -> SafeString:
    """{% compare sides.rows sides.headings %}: the same, where the page does not know how many sides there are."""
    return components.diff(rows, headings)


@register.simple_tag
def progress(done: int, total: int, label: str = "") -> SafeString:
    return components.progress(done, total, label)


@register.simple_tag
def empty(title: str, hint: str = "") -> SafeString:
    return components.empty(title, hint)


@register.simple_tag
def breadcrumbs(steps: Sequence[Crumb]) -> SafeString:
    """The way back, before the page's own heading."""
    return components.breadcrumbs(steps) if steps else join([])


@register.simple_tag
def raw(content: Any, label: str = "Raw") -> SafeString:
    return components.raw(content, label)


@register.simple_tag
def icon(name: str) -> SafeString:
    return draw_icon(name)


@register.simple_block_tag
def card(content: str, title: str = "", note: Child = None) -> SafeString:
    """{% card "Raw message" %}...{% endcard %}: a titled part of a page; `note` stands at the right of the title."""
    aside = tag("span", note, class_="note") if note else None
    head = tag("header", tag("h2", title), aside) if title else None
    return tag("section", head, tag("div", content, class_="card-body"), class_="card")
