"""Pages by key, not by number: the last page of five million rows costs what the first one does.

A page starts after (or ends before) a row's sort key, given in the address as a readable token:
`?after=2026-11-20T08:15:00.000000Z~4711`. The database seeks to it with one row comparison,
`(opened_at, id) < (..., ...)`, which a matching index answers directly. So that this is right:

- the last field of a sort is unique, or rows would be shown twice or not at all;
- no field of a sort may be NULL, because a row comparison with NULL is neither true nor false and the row would
  vanish from every page but the first. `check` refuses such a sort; a column that may be empty needs a sort key
  that is not (a generated column with a default).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, unquote

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, QuerySet, Value

from backoffice.ui import formats

M = TypeVar("M", bound=Model)
EXACT_UP_TO = 10_000
# In the planner's units, of which a quick machine does some 200 in a millisecond.
_QUICK = 2_000.0
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,20})?")


@dataclass(frozen=True, slots=True)
class Order:
    """Field lookups, most important first, all ascending or all descending."""

    name: str
    fields: tuple[str, ...]
    descending: bool = False

    def terms(self, *, backwards: bool = False) -> list[str]:
        """What `order_by` takes."""
        sign = "-" if self.descending != backwards else ""
        return [f"{sign}{field}" for field in self.fields]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: after a token, before a token, at the end, or (nothing given) at the start."""

    after: str = ""
    before: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class Rows(Generic[M]):
    """One page of rows. `after` and `before` are the tokens of the next and the previous page, if there is one.

    `refused` says that the token made no sense and the first page is shown instead.
    """

    rows: list[M]
    before: str | None
    after: str | None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows there are: exact up to `EXACT_UP_TO`, from there on the planner's estimate."""

    count: int
    exact: bool = True

    def __str__(self) -> str:
        if self.exact:
            return f"{self.count:,}"
        step = 10 ** max(len(str(self.count)) - 2, 0)
        return f"about {max(round(self.count / step) * step, EXACT_UP_TO):,}"


class _BadToken(Exception):
    """A token that was not made by us for this sort."""


class _Row(Func):
    """SQL's row constructor, `(a, b)`."""

    template = "ROW(%(expressions)s)"


class _Above(Func):
    """`ROW(...) > ROW(...)`: true or false as a condition."""

    template = "%(expressions)s"
    arg_joiner = " > "
    output_field = BooleanField()
    conditional = True


class _Below(_Above):
    arg_joiner = " < "


def page(queryset: QuerySet[M], order: Order, *, size: int, place: Place | None = None) -> Rows[M]:
    """The rows at `place`, `size` at most, in `order`."""
    where = place or Place()
    try:
        found, backwards, seeking = _seek(queryset, order, where), bool(where.before) or where.last, where != Place()
        refused = False
    except _BadToken:
        found, backwards, seeking, refused = queryset, False, False, True
    rows = list(found.order_by(*order.terms(backwards=backwards))[: size + 1])
    more = len(rows) > size
    del rows[size:]
    if backwards:
        rows.reverse()
    has_before = more if backwards else seeking
    has_after = (not where.last) if backwards else more
    return Rows(
        rows=rows,
        before=token(rows[0], order) if rows and has_before else None,
        after=token(rows[-1], order) if rows and has_after else None,
        refused=refused,
    )


def ordered(queryset: QuerySet[M], order: Order) -> QuerySet[M]:
    """All rows in the order in which the pages show them."""
    return queryset.order_by(*order.terms())


def total(queryset: QuerySet[Any]) -> Total:
    """Count up to `EXACT_UP_TO`; beyond, take the planner's estimate, whose answer costs no reading of rows.

    Counting to 10,001 is quick where the rows lie close to each other and reads the whole table where they do
    not. So the planner is asked first: if counting is dear and it expects far more rows, its word is taken.
    """
    # Only the keys: a column worked out for the page (a balance) is not worked out for ten thousand rows.
    bounded = queryset.order_by().select_related(None).values("pk")[: EXACT_UP_TO + 1]
    estimate, cost = _plan(bounded)
    if cost <= _QUICK or estimate <= EXACT_UP_TO:
        counted = bounded.count()
        if counted <= EXACT_UP_TO:
            return Total(counted)
    return Total(max(estimate, EXACT_UP_TO), exact=False)


def _plan(bounded: QuerySet[Any]) -> tuple[int, float]:
    """How many rows the planner expects without the bound, and what it thinks the bounded query costs."""
    answer = bounded.explain(format="json")
    if not answer:
        return 0, 0.0  # Django already knows that nothing fits and asks nobody.
    plan = json.loads(answer)[0]["Plan"]
    inner = plan["Plans"][0] if plan["Node Type"] == "Limit" else plan
    return int(inner["Plan Rows"]), float(plan["Total Cost"])


def token(row: Model, order: Order) -> str:
    """The row's place in the order, readable and safe in an address."""
    return "~".join(_spell(_value(row, field)) for field in order.fields)


def check(queryset: QuerySet[Any], fields: Sequence[str]) -> None:
    """Fail on a sort that could lose rows: a field that may be NULL, or no unique field at the end."""
    for lookup in fields:
        assert not _nullable(queryset, lookup), f"{lookup} may be NULL, so it cannot be a sort key"
    last = _field(queryset, fields[-1])
    meta = queryset.model._meta
    keys = [set(key.fields) for key in meta.total_unique_constraints if key.fields]
    keys.append({part.name for part in meta.pk_fields})
    own = [lookup for lookup in fields if "__" not in lookup and lookup not in queryset.query.annotations]
    names = {_path(queryset, lookup)[0].name for lookup in own}
    assert last.unique or any(key <= names for key in keys), f"the sort {fields} is not unique"


def _seek(queryset: QuerySet[M], order: Order, place: Place) -> QuerySet[M]:
    if place.last or not (place.after or place.before):
        return queryset
    if place.after and place.before:
        raise _BadToken
    parts = (place.after or place.before).split("~")
    if len(parts) != len(order.fields):
        raise _BadToken
    fields = [_field(queryset, lookup) for lookup in order.fields]
    values = [Value(_read(text, field), output_field=field) for text, field in zip(parts, fields, strict=True)]
    upwards = bool(place.after) != order.descending
    compare = _Above if upwards else _Below
    return queryset.filter(compare(_Row(*map(F, order.fields)), _Row(*values)))


def _read(text: str, field: Field[Any, Any]) -> Any:
    """A part of a token as the field's type; anything the database could stumble over is refused here."""
    plain_text = unquote(text)
    kind = field.get_internal_type()
    if "\x00" in plain_text or len(plain_text) > 2_000:
        raise _BadToken
    if ("Integer" in kind or "Auto" in kind or kind in ("DecimalField", "ForeignKey")) and not _NUMBER.fullmatch(
        plain_text
    ):
        raise _BadToken
    try:
        value = field.to_python(plain_text)
        field.run_validators(value)
    except (ValidationError, ValueError, OverflowError) as error:
        raise _BadToken from error
    if value is None or (isinstance(value, datetime) and value.utcoffset() is None):
        raise _BadToken
    return value


def _spell(value: Any) -> str:
    assert value is not None, "a sort key may not be NULL"
    if isinstance(value, datetime):
        text = formats.iso(value).replace("+00:00", "Z")
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, Decimal):
        text = formats.plain(value)
    else:
        text = str(value)
    return quote(text, safe=":").replace("~", "%7E")


def _value(row: Any, lookup: str) -> Any:
    for step in lookup.split("__"):
        row = getattr(row, step)
    return row


def _field(queryset: QuerySet[Any], lookup: str) -> Field[Any, Any]:
    """The field at the end of a lookup, or of an annotation of that name."""
    if lookup in queryset.query.annotations:
        field: Any = queryset.query.annotations[lookup].output_field
    else:
        field = _path(queryset, lookup)[-1]
    while field.is_relation:
        field = field.target_field
    return cast("Field[Any, Any]", field)


def _nullable(queryset: QuerySet[Any], lookup: str) -> bool:
    if lookup in queryset.query.annotations:
        return False
    return any(field.null for field in _path(queryset, lookup))


def _path(queryset: QuerySet[Any], lookup: str) -> list[Any]:
    meta: Any = queryset.model._meta
    fields = []
    for step in lookup.split("__"):
        try:
            field = meta.pk if step == "pk" else meta.get_field(step)
        except FieldDoesNotExist as error:
            raise AssertionError(f"{queryset.model.__name__} has no field {lookup}") from error
        fields.append(field)
        meta = field.related_model._meta if field.related_model else None
    return fields
