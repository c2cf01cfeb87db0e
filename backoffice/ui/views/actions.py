"""A form and the one service behind it. Looking (GET) changes nothing; doing is a POST that ends in a redirect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, Forbidden, NotFound, StepUpNeeded
from backoffice.ui import hooks
from backoffice.ui.requests import actor_of
from backoffice.ui.views.base import Page, SeeOther

_MOST_ROWS = 500


class ActionPage(Page, ABC):
    """Say `form` and `run`. `queryset` names what it acts on: the row `pk` of the address, or with `bulk` the
    picked rows (`ids`), in both cases only rows this person may see; without a queryset there is no target.

    A DomainError from `run` is shown on the form (422) and nothing has changed.
    """

    template = "action.html"
    http_method_names = ("get", "head", "post", "options")
    form: ClassVar[type[forms.Form]] = forms.Form
    queryset: ClassVar[QuerySet[Any] | None] = None
    bulk: ClassVar[bool] = False
    submit_label: ClassVar[str] = "Save"
    tone: ClassVar[str] = ""
    target: Any = None

    @abstractmethod
    def run(self, *, actor: Person, form: Any, target: Any) -> Any:
        """Call the service with the form's `cleaned_data`; what it returns goes to `message` and `success_url`."""

    def message(self, result: Any) -> str:
        """What is said on the next page."""
        return "Done."

    def success_url(self, result: Any) -> str:
        """Where to go on: back to where the person came from, else to the page's navigation item."""
        return self.back()

    def consequences(self, target: Any) -> Sequence[str]:
        """What will happen, in sentences, before the person decides."""
        return ()

    def facts(self, target: Any) -> Sequence[tuple[str, Any]]:
        """What the person has to see to decide: labels and typed values."""
        return ()

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        """More arguments for the form: `initial`, choices."""
        return {}

    def make_form(self, *data: Any) -> forms.Form:
        """The form, with what was sent."""
        return self.form(*data, **self.form_arguments(self.target))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.target = self._find_target()
        return self._show(self.make_form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.target = self._find_target()
        form = self.make_form(request.POST, request.FILES)
        if not form.is_valid():
            return self._show(form, status=422)
        try:
            result = self.run(actor=actor_of(request), form=form, target=self.target)
        except (Forbidden, NotFound, StepUpNeeded):
            raise
        except DomainError as error:
            form.add_error(None, str(error))
            return self._show(form, status=422)
        messages.success(request, self.message(result))
        return SeeOther(self.success_url(result))

    def back(self) -> str:
        """The address the person came from, if it is one of ours."""
        given = self.request.POST.get("back") or self.request.GET.get("back") or ""
        if url_has_allowed_host_and_scheme(given, allowed_hosts=None) and given.startswith("/"):
            return given
        assert self.nav, f"{type(self).__name__} needs `nav` or `success_url`, or it does not know where to go on"
        return reverse(self.nav)

    def _find_target(self) -> Any:
        if self.queryset is None:
            return None
        if not self.bulk:
            return self.row_or_404(self.queryset.all(), self.kwargs["pk"])
        data = self.request.POST if self.request.method == "POST" else self.request.GET
        return self._picked(self.queryset.all(), data.getlist("ids"))

    def _picked(self, queryset: QuerySet[Any], ids: Sequence[str]) -> list[Any]:
        """The picked rows; one that is foreign or gone refuses all, so that nobody believes it was done."""
        if not 0 < len(set(ids)) <= _MOST_ROWS:
            raise Http404
        key = queryset.model._meta.pk
        try:
            wanted = {key.to_python(given) for given in ids}
        except ValidationError as error:
            raise Http404 from error
        rows = list(self.visible(queryset).filter(pk__in=wanted).order_by("pk"))
        if len(rows) != len(wanted):
            raise Http404
        return rows

    def _show(self, form: forms.Form, status: int = 200) -> HttpResponseBase:
        for field in form.fields.values():
            if isinstance(field, forms.ModelChoiceField) and field.empty_label is not None:
                field.empty_label = "Choose one" if field.required else "None"
        context = {
            "form": form,
            "target": self.target,
            "ids": [row.pk for row in self.target] if self.bulk and self.target else [],
            "facts": self.facts(self.target),
            "consequences": self.consequences(self.target),
            "submit_label": self.submit_label,
            "tone": self.tone,
            "back": self.back(),
        }
        return self.page(context, status=status)


class AskingPage(ActionPage):
    """A page that may end in a request for other people's consent. Its form has a field `reason`; the code of the
    reason and files are asked for here, in the same way for every action."""

    @abstractmethod
    def asks(self, target: Any) -> str:
        """The action whose reasons are offered; empty where nothing is asked for."""

    def make_form(self, *data: Any) -> forms.Form:
        form = super().make_form(*data)
        action = self.asks(self.target)
        more = dict(hooks.ask_fields(action)) if action else {}
        for name, field in more.items():
            form.fields[name] = field
        names = [name for name in form.fields if name not in more and name != "reason"]
        form.order_fields([*names, "reason_code", "reason", "files"])
        return form

    def ask(self, *, actor: Person, form: Any, action: str, payload: Any) -> Any:
        """Send it, with the reason, its code and the files of the form."""
        data = form.cleaned_data
        more = {name: data[name] for name in ("reason_code", "files") if name in data}
        return hooks.submit(actor=actor, action=action, payload=payload, reason=data["reason"], **more)


class GatedPage(AskingPage):
    """Asks for one use case that needs other people's consent."""

    action: ClassVar[str]
    submit_label = "Ask for approval"

    @abstractmethod
    def payload(self, form: Any, target: Any) -> Any:
        """The registered action's payload dataclass."""

    def asks(self, target: Any) -> str:
        return self.action

    def run(self, *, actor: Person, form: Any, target: Any) -> Any:
        return self.ask(actor=actor, form=form, action=self.action, payload=self.payload(form, target))

    def message(self, result: Any) -> str:
        return "Sent for approval. Nothing has changed yet."
