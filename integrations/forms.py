"""What connections and imports ask for. A connection's form has the settings its adapter names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection, Instrument, ProfileKind, WebhookEndpoint
from integrations.services import profiles


class ConnectionForm(forms.Form):
    """Name, adapter and the adapter's settings. Secrets are never shown; an empty one stays as it is."""

    def __init__(
        self,
        *args: Any,
        adapter: str = "",
        connection: Connection | None = None,
        entities: Any = None,
        servers: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._adapter = connection.adapter if connection else adapter
        if connection is None:
            self.fields["name"] = forms.SlugField(max_length=60, help_text="short, without spaces: mt5-live")
            self.fields["entity"] = forms.ModelChoiceField(entities or LegalEntity.objects.none())
            self.fields["paired_with"] = forms.ModelChoiceField(
                servers or Connection.objects.none(),
                required=False,
                label="Covers",
                help_text="for a liquidity provider: the trade server whose deals it hedges",
            )
        else:
            self.fields["is_active"] = forms.BooleanField(
                required=False, initial=connection.is_active, label="Active", help_text="a paused feed is not read"
            )
        for setting in registry.settings_of(self._adapter):
            widget: forms.Widget = forms.PasswordInput() if setting.secret else forms.TextInput()
            if setting.name == "profile":
                widget = forms.Textarea(attrs={"rows": 10, "class": "code"})
            if setting.name == "file_profile":
                known = entities.values_list("pk", flat=True) if entities is not None else ()
                offered = profiles.choices([connection.entity_id] if connection else list(known))
                widget = forms.Select(choices=[("", "Choose one"), *offered])
            kept = connection is not None and setting.secret
            self.fields[f"setting_{setting.name}"] = forms.CharField(
                required=setting.required and not kept,
                label=setting.label,
                help_text="leave empty to keep the stored one" if kept else setting.help,
                initial=connection.settings.get(setting.name, "") if connection else setting.default,
                widget=widget,
            )

    def values(self, *, secret: bool) -> dict[str, str]:
        """The settings or the secrets that were entered."""
        return {
            setting.name: self.cleaned_data[f"setting_{setting.name}"]
            for setting in registry.settings_of(self._adapter)
            if setting.secret == secret and (not secret or self.cleaned_data[f"setting_{setting.name}"])
        }


class WebhookForm(forms.Form):
    """A provider's settings for webhooks. Secrets are never shown; an empty one stays as it is."""

    def __init__(self, *args: Any, provider: str, endpoint: WebhookEndpoint | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        same = endpoint is not None and endpoint.provider == provider
        self._known = registry.WEBHOOKS[provider].settings
        for setting in self._known:
            kept = same and setting.secret
            self.fields[f"setting_{setting.name}"] = forms.CharField(
                required=setting.required and not kept,
                label=setting.label,
                help_text="leave empty to keep the stored one" if kept else setting.help,
                initial=endpoint.settings.get(setting.name, "") if endpoint and same else setting.default,
                widget=forms.PasswordInput() if setting.secret else forms.TextInput(),
            )
        self.fields["keep_old_hours"] = forms.IntegerField(
            min_value=0,
            max_value=168,
            initial=24,
            label="Old secret counts for (hours)",
            help_text="after a new one is entered; 0 ends it now",
        )
        self.fields["is_active"] = forms.BooleanField(
            required=False, initial=endpoint.is_active if endpoint else True, label="Active"
        )

    def values(self, *, secret: bool) -> dict[str, str]:
        """The settings or the secrets that were entered."""
        return {s.name: self.cleaned_data[f"setting_{s.name}"] for s in self._known if s.secret == secret}


class UploadForm(forms.Form):
    source = forms.ModelChoiceField(Connection.objects.none(), help_text="where the file comes from")
    file = forms.FileField(allow_empty_file=True)

    def __init__(self, *args: Any, sources: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ModelChoiceField)
        readers = list(registry.READERS)
        field.queryset = (sources if sources is not None else Connection.objects.none()).filter(adapter__in=readers)


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="Shown to the approver and kept.")


class SymbolMappingForm(forms.Form):
    source = forms.ModelChoiceField(Connection.objects.none())
    symbol = forms.CharField(max_length=40)
    instrument = forms.ModelChoiceField(Instrument.objects.order_by("code"))
    contract_size = forms.DecimalField(
        required=False, min_value=0, label="Units per lot", help_text="empty: the instrument's own"
    )

    def __init__(self, *args: Any, sources: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = sources if sources is not None else Connection.objects.none()


_LINES = {"rows": 6, "class": "code", "spellcheck": "false"}


def _pairs(text: str) -> dict[str, str]:
    """Lines of "left = right"; a line that has no such form is its own left with nothing right, and refused later."""
    split = (line.partition("=") for line in text.splitlines() if line.strip())
    return {left.strip(): right.strip() for left, _, right in split}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


class ProfileForm(forms.Form):
    """A mapping profile, key by key (adapters/csv_profile/profile.py), and a sample to look at it with."""

    name = forms.SlugField(max_length=40, help_text="short, without spaces; the same name again is its next version")
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    kind = forms.ChoiceField(choices=ProfileKind.choices, label="Rows are of a")
    format = forms.ChoiceField(choices=(("csv", "CSV"), ("json", "JSON, an array of objects")))
    delimiter = forms.ChoiceField(choices=((",", "comma"), (";", "semicolon"), ("tab", "tab"), ("|", "bar")))
    encoding = forms.CharField(max_length=20, initial="auto", help_text="auto: UTF-8, else Windows-1252")
    header_line = forms.IntegerField(min_value=1, max_value=200, initial=1, label="Line of the headers")
    columns = forms.CharField(
        widget=forms.Textarea(attrs={**_LINES, "rows": 12}),
        help_text="one a line: field = Header. Headers joined: Description + Reference. The second of a name: Name#2",
    )
    constants = forms.CharField(
        required=False, widget=forms.Textarea(attrs={**_LINES, "rows": 2}), help_text="one a line: currency = EUR"
    )
    decimal = forms.ChoiceField(choices=((".", "point"), (",", "comma")), label="Decimal character")
    thousands = forms.CharField(
        max_length=1, required=False, strip=False, label="Thousands character", help_text="empty: grouping is refused"
    )
    minor_units = forms.CharField(
        required=False, max_length=200, help_text="where amounts are whole numbers: *=2, JPY=0. Empty: they are not"
    )
    sign = forms.ChoiceField(
        choices=(
            ("signed", "amounts carry their sign"),
            ("pair", "columns debit and credit, unsigned"),
            ("pair_signed", "columns debit and credit, debits negative"),
            ("direction", "unsigned, the field direction says which way"),
        )
    )
    money_in = forms.CharField(required=False, max_length=200, help_text="texts of direction, with commas: IN, CR")
    money_out = forms.CharField(required=False, max_length=200, help_text="OUT, DR")
    fee_sign = forms.ChoiceField(choices=(("cost", "a positive fee is a cost"), ("signed", "a negative fee is a cost")))
    date_formats = forms.CharField(initial="iso", max_length=200, help_text="with commas: iso, %d.%m.%Y %H:%M")
    time_zone = forms.CharField(initial="UTC", max_length=60, help_text="of times without an offset: Europe/London")
    types = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs=_LINES),
        help_text="for a PSP, one a line: text = PAYMENT (REFUND, CHARGEBACK, FEE, PAYOUT, RESERVE); * for all others",
    )
    keep_states = forms.CharField(required=False, max_length=200, help_text="texts of state that count: COMPLETED")
    skip_rows = forms.CharField(required=False, max_length=400, help_text="first cells of rows that are no data: Total")
    key = forms.CharField(required=False, max_length=200, help_text="fields that say which row is which; empty: id")
    note = forms.CharField(max_length=200, help_text="what is different about this version")
    sample = forms.FileField(required=False, help_text="a file, or its first lines below; it is not kept")
    lines = forms.CharField(
        required=False,
        strip=False,
        max_length=1024 * 1024,
        widget=forms.Textarea(attrs={**_LINES, "rows": 8}),
        label="Lines of the sample",
    )

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()

    def spec(self) -> dict[str, Any]:
        """The profile as it is stored."""
        data = self.cleaned_data
        same = ("kind", "format", "encoding", "header_line", "decimal", "thousands", "sign", "fee_sign", "time_zone")
        lists = ("money_in", "money_out", "date_formats", "keep_states", "skip_rows", "key")
        columns = {field: header.split(" + ") for field, header in _pairs(data["columns"]).items()}
        units = _pairs(data["minor_units"].replace(",", "\n"))
        return {
            **{name: data[name] for name in same},
            **{name: _listed(data[name]) for name in lists},
            "delimiter": "\t" if data["delimiter"] == "tab" else data["delimiter"],
            "columns": {field: headers if len(headers) > 1 else headers[0] for field, headers in columns.items()},
            "constants": _pairs(data["constants"]),
            "types": _pairs(data["types"]),
            "minor_units": {c: int(d) if d.isdigit() else d for c, d in units.items()} or None,
        }

    def body(self) -> bytes:
        """The sample: the file that was handed in, else the lines."""
        given = self.cleaned_data["sample"]
        return bytes(given.read(1024 * 1024 + 1)) if given else str(self.cleaned_data["lines"]).encode()


def profile_initial(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows for a profile that is there."""
    lists = ("money_in", "money_out", "date_formats", "keep_states", "skip_rows", "key")
    columns = spec.get("columns", {})
    found = {name: value for name, value in spec.items() if name in ProfileForm.base_fields}
    found |= {name: ", ".join(spec[name]) for name in lists if name in spec}
    found |= {
        name: "\n".join(f"{left} = {right}" for left, right in spec[name].items())
        for name in ("constants", "types")
        if name in spec
    }
    found["columns"] = "\n".join(f"{k} = {' + '.join(v) if isinstance(v, list) else v}" for k, v in columns.items())
    found["minor_units"] = ", ".join(f"{c}={d}" for c, d in (spec.get("minor_units") or {}).items())
    if spec.get("delimiter") == "\t":
        found["delimiter"] = "tab"
    return found
