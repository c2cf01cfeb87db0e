"""Filters of a list, kept in the address: what one person sees, another sees from the same link.

Built on django-filter. A value that cannot be read gives a message on its field and is left out; the other
filters hold. Nothing is stored.

Text search has to use an index, or a list of five million rows stops the desk:

    Exact("reference")                    any index on the column
    Whole("login")                        the same, for whole numbers
    Prefix("reference")                   a text_pattern_ops (or C collation) index
    Prefix("name", any_case=True)         such an index on Upper("name")
    Contains("name")                      a GIN trigram index on Upper("name"), or a table that stays `small`
    Search(("login", "exact"), ("name", "istartswith"))   an index for each

tests/test_ui_pages.py asks the planner and fails where a list's text filter has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.safestring import SafeString
from django_filters import filters as base_filters
from django_filters import filterset as base_filterset

from backoffice.kernel import money
from backoffice.ui import controls, formats
from backoffice.ui.fields import DayField
from backoffice.ui.requests import address, entities_of

_BIGGEST = 2**63 - 1
# django-filter has no types: what we use of it is declared on our own two classes.
_Filter: Any = base_filters.Filter
_FilterSet: Any = base_filterset.FilterSet


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter in words, and the address without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class Said:
    """One thing an active filter says: its words, and the pairs of the address that say it."""

    words: str
    params: tuple[tuple[str, str], ...]


class Filter(_Filter):  # type: ignore[misc]
    """What every filter of ours can do: draw itself and say what it does."""

    parent: Filters
    field_name: str
    lookup_expr: str
    label: str
    extra: dict[str, Any]
    field_class: type[forms.Field]

    def params(self, name: str) -> list[str]:
        """The names it uses in the address."""
        return [name]

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        """Its control, showing what the address says, right or wrong."""
        return controls.text(name, self.label, data.get(name, ""), error=error)

    def said(self, name: str, value: Any, data: QueryDict) -> list[Said]:
        """What it says while it is active."""
        return [Said(str(value), ((name, data.get(name, "")),))]


class _Text(Filter):
    field_class = forms.CharField

    def __init__(self, field_name: str, label: str, *, lookup: str = "exact", hint: str = "", **extra: Any) -> None:
        super().__init__(field_name, lookup, label=label, max_length=200, **extra)
        self.hint = hint

    def lookups(self) -> list[str]:
        """The lookups it may use, for the test that asks the planner."""
        return [f"{self.field_name}__{self.lookup_expr}"]

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.text(name, self.label, data.get(name, ""), error=error, hint=self.hint)


class Exact(_Text):
    """The text as it is."""


class Prefix(_Text):
    """Texts that begin so."""

    def __init__(self, field_name: str, label: str, *, any_case: bool = False, hint: str = "") -> None:
        super().__init__(field_name, label, lookup="istartswith" if any_case else "startswith", hint=hint)


class Contains(_Text):
    """Texts that have it somewhere, in any case."""

    def __init__(self, field_name: str, label: str, *, hint: str = "") -> None:
        super().__init__(field_name, label, lookup="icontains", hint=hint)


class Search(_Text):
    """One box over several columns: rows that fit by any of the (field, lookup) pairs."""

    def __init__(self, *pairs: tuple[str, str], label: str = "Search", hint: str = "") -> None:
        super().__init__(pairs[0][0], label, lookup=pairs[0][1], hint=hint)
        self.pairs = pairs

    def lookups(self) -> list[str]:
        return [f"{field}__{lookup}" for field, lookup in self.pairs]

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        found = Q()
        for field, lookup in self.pairs:
            try:
                qs.filter(**{f"{field}__{lookup}": value})
            except (ValueError, ValidationError):
                continue  # a word is no number: the number columns have nothing to find
            found |= Q(**{f"{field}__{lookup}": value})
        return qs.filter(found) if found else qs.none()


class Whole(Filter):
    """A whole number as it is: a login, a ticket."""

    field_class = forms.IntegerField

    def __init__(self, field_name: str, label: str) -> None:
        super().__init__(field_name, "exact", label=label, min_value=-_BIGGEST, max_value=_BIGGEST)

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.text(name, self.label, data.get(name, ""), error=error, numeric=True)


class Choice(Filter):
    """One of the choices."""

    field_class = forms.ChoiceField

    def __init__(self, field_name: str, label: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(field_name, "exact", label=label, choices=[("", "Any"), *choices])
        self.options = [(str(code), str(shown)) for code, shown in choices]

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.select(name, self.label, data.get(name, ""), self.options, error=error)

    def said(self, name: str, value: Any, data: QueryDict) -> list[Said]:
        return [Said(dict(self.options).get(value, value), ((name, value),))]


class MultiChoice(Filter):
    """Any of the choices."""

    field_class = forms.MultipleChoiceField

    def __init__(self, field_name: str, label: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(field_name, "in", label=label, choices=list(choices))
        self.options = [(str(code), str(shown)) for code, shown in choices]

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.multi(name, self.label, data.getlist(name), self.options, error=error)

    def said(self, name: str, value: Any, data: QueryDict) -> list[Said]:
        return [Said(dict(self.options)[code], ((name, code),)) for code in value]


class Entities(MultiChoice):
    """Some of the legal entities the person works in."""

    def __init__(self, field_name: str = "entity", label: str = "Entity") -> None:
        super().__init__(field_name, label, [])

    @property
    def field(self) -> Any:
        if not self.options:
            self.options = [(str(pk), code) for pk, code in entities_of(self.parent.request)]
            self.extra["choices"] = self.options
        return super().field


class YesNo(Filter):
    """A truth: yes or no. `unsaid` is what the list shows without a choice."""

    field_class = forms.ChoiceField
    options: ClassVar[list[tuple[str, str]]] = [("yes", "Yes"), ("no", "No")]
    unsaid: ClassVar[str] = "Any"

    def __init__(self, field_name: str, label: str) -> None:
        super().__init__(field_name, "exact", label=label, choices=[("", "Any"), *self.options])

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(**{self.field_name: value == "yes"}) if value else qs

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.select(name, self.label, data.get(name, ""), self.options, error=error, unsaid=self.unsaid)


class Mine(Filter):
    """Rows whose `field_name` is the person who looks."""

    field_class = forms.BooleanField

    def __init__(self, field_name: str = "owner", label: str = "Mine") -> None:
        super().__init__(field_name, "exact", label=label)

    def filter(self, qs: QuerySet[Any], value: bool) -> QuerySet[Any]:
        return qs.filter(**{self.field_name: self.parent.request.user.pk}) if value else qs

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        return controls.flag(name, self.label, on=bool(data.get(name)))

    def said(self, name: str, value: Any, data: QueryDict) -> list[Said]:
        return [Said("yes", ((name, data.get(name, "")),))]


class _Ends(forms.MultiWidget):
    """Two boxes named `..._from` and `..._to`."""

    def __init__(self) -> None:
        super().__init__({"from": forms.TextInput(), "to": forms.TextInput()})

    def decompress(self, value: Any) -> list[Any]:
        return list(value or (None, None))


class _SpanField(forms.MultiValueField):
    """(from, to), either of which may be None; both None is no value. Used with optional parts only."""

    widget = _Ends

    def __init__(self, part: type[forms.Field], **options: Any) -> None:
        super().__init__((part(required=False), part(required=False)), require_all_fields=False, **options)

    def compress(self, data_list: Sequence[Any]) -> tuple[Any, Any] | None:
        first, last = data_list or (None, None)
        if first is None and last is None:
            return None
        if first is not None and last is not None and first > last:
            raise ValidationError("“From” is after “to”. Turn them round.")
        return first, last


class _AmountField(forms.CharField):
    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        text = str(value or "").strip().replace(",", "")
        if not text:
            return None
        try:
            return money.parse(text)
        except money.BadAmount as error:
            raise ValidationError("Write a plain number such as 1250.50.") from error


class DateRange(Filter):
    """Business days from and to, both included."""

    kind = "date"
    part: type[forms.Field] = DayField

    def __init__(self, field_name: str, label: str) -> None:
        super().__init__(field_name, "exact", label=label, part=self.part)

    field_class = _SpanField

    def params(self, name: str) -> list[str]:
        return [f"{name}_from", f"{name}_to"]

    def ends(self, value: tuple[Any, Any]) -> Iterable[tuple[str, Any]]:
        """(lookup, limit) pairs of a range."""
        return (("gte", value[0]), ("lte", value[1]))

    def filter(self, qs: QuerySet[Any], value: tuple[Any, Any] | None) -> QuerySet[Any]:
        if value is None:
            return qs
        limits = {f"{self.field_name}__{end}": limit for end, limit in self.ends(value) if limit is not None}
        return qs.filter(**limits)

    def control(self, name: str, data: QueryDict, error: str) -> SafeString:
        first, last = (data.get(param, "") for param in self.params(name))
        return controls.span(name, self.label, (first, last), kind=self.kind, error=error)

    def said(self, name: str, value: tuple[Any, Any], data: QueryDict) -> list[Said]:
        first, last = (_words(limit) for limit in value)
        words = f"{first} – {last}" if first and last else f"from {first}" if first else f"to {last}"
        return [Said(words, tuple((param, data.get(param, "")) for param in self.params(name)))]


class MomentRange(DateRange):
    """Moments on the UTC days from and to, both included."""

    def ends(self, value: tuple[date | None, date | None]) -> Iterable[tuple[str, Any]]:
        first, last = value
        yield "gte", first and datetime.combine(first, time.min, UTC)
        yield "lt", last and datetime.combine(last + timedelta(days=1), time.min, UTC)


class AmountRange(DateRange):
    """Amounts from and to, both included, in whatever currency the row has."""

    kind = "amount"
    part = _AmountField


class Filters(_FilterSet):  # type: ignore[misc]
    """The filters of one list: subclass and declare them as attributes."""

    request: HttpRequest
    data: QueryDict
    form: forms.Form
    qs: QuerySet[Any]
    filters: dict[str, Filter]

    def problems(self) -> dict[str, str]:
        """Filter name -> why its value was left out."""
        return {str(name): " ".join(map(str, messages)) for name, messages in self.form.errors.items()}

    def controls(self) -> list[SafeString]:
        """The controls in their order."""
        problems = self.problems()
        # The fields first: some read their choices from the request.
        return [filter_.control(name, self.data, problems.get(name, "")) for name, filter_ in self.filters.items()]

    def chips(self) -> list[Chip]:
        """One for everything the active filters say."""
        found = []
        wrong = self.problems()
        for name, filter_ in self.filters.items():
            value = None if name in wrong else self.form.cleaned_data.get(name)
            if value in (None, "", [], False):
                continue
            for said in filter_.said(name, value, self.data):
                found.append(Chip(filter_.label, said.words, _without(self.data, said.params)))
        return found

    def problem_places(self) -> str:
        """The places of the messages, as htmx wants them in hx-select-oob."""
        return ",".join(
            f"#{controls.problem_id(name)}" for name in self.filters if not isinstance(self.filters[name], Mine)
        )

    def params(self) -> list[str]:
        """All names the filters use in the address."""
        return [param for name, filter_ in self.filters.items() for param in filter_.params(name)]


def _words(limit: Any) -> str:
    if limit is None:
        return ""
    return formats.grouped(limit) if isinstance(limit, Decimal) else str(limit)


def _without(data: QueryDict, params: Iterable[tuple[str, str]]) -> str:
    """The address without some pairs and without the place in the list."""
    rest = data.copy()
    for name, value in params:
        rest.setlist(name, [other for other in cast("list[str]", rest.getlist(name)) if other != value])
    for name in [name for name in rest if not any(rest.getlist(name))]:
        del rest[name]
    return address(rest)
