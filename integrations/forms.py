"""What connections and imports ask for. A connection's form has the settings its adapter names."""

from __future__ import annotations

from typing import Any

from django import forms

from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection, Instrument


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
