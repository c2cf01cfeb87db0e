"""Chargebacks as pages: the list with deadlines first, one case with everything about it, and what people do there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse

from accounts.models import Client
from accounts.selectors import visible
from accounts.selectors.kept import reveal
from accounts.views.steps import OfClient
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage, Page
from ledger.selectors.lines import lines_of
from payments import filters
from payments.actions import chargebacks as actions
from payments.actions import inside
from payments.forms import chargebacks as forms
from payments.models import CaseState, ChargebackCase, DisputeMonth
from payments.models.ratios import OVER, THRESHOLDS
from payments.selectors import cases as found
from payments.selectors import page
from payments.services import cases
from payments.tables import chargebacks as tables

VIEW, WORK = found.VIEW, found.WORK
ASK = "payments.ask_chargeback"


class CaseList(ListPage):
    title = "Chargebacks"
    template = "payments/cases.html"
    queryset = found.cases()
    table = tables.CaseTable
    filters = filters.CaseFilters
    permission = VIEW
    buttons = (Button("Deadlines", "case-deadlines", VIEW), Button("Ratios", "dispute-ratios", VIEW))

    def more(self, listing: Any) -> Mapping[str, Any]:
        month = clock.today().replace(day=1)
        rows = self.visible(DisputeMonth.objects.filter(month=month).select_related("connection"))
        return {"over": [row for row in rows if row.level == OVER]}


def _in_cases(_: Page) -> Sequence[Crumb]:
    return (Crumb("Chargebacks", reverse("chargebacks")),)


class CaseDeadlines(ListPage):
    """Open cases that wait for us, the nearest deadline first."""

    title = "Deadlines"
    nav = "chargebacks"
    crumbs = _in_cases
    table = tables.DueCaseTable
    filters = filters.DueCaseFilters
    permission = VIEW

    def rows(self) -> QuerySet[ChargebackCase]:
        rows = found.cases().filter(ended_at=None, deadline_at__isnull=False)
        return rows.annotate(due_at=F("deadline_at"))


class RatioList(ListPage):
    title = "Dispute ratios"
    nav = "chargebacks"
    crumbs = _in_cases
    template = "payments/ratios.html"
    queryset = DisputeMonth.objects.select_related("connection", "entity")
    table = tables.RatioTable
    filters = filters.RatioFilters
    permission = VIEW

    def more(self, listing: Any) -> Mapping[str, Any]:
        return {"thresholds": THRESHOLDS}


def _chargeable(row: ChargebackCase) -> bool:
    if row.client_id is None or row.amount is None or row.taken_at is None:
        return False
    over = (CaseState.REVERSED, CaseState.WON, CaseState.PREVENTED)
    return row.state not in over and found.charged(row) < row.amount


def _returnable(row: ChargebackCase) -> bool:
    return row.state == CaseState.WON and found.charged(row) > 0


def _movable(row: ChargebackCase) -> bool:
    return row.state not in (CaseState.LOST, CaseState.ACCEPTED)


class CaseDetail(DetailPage):
    """The dispute, the money, the client, what happened, and what is next."""

    queryset = found.cases().select_related("deposit", "currency")
    template = "payments/case.html"
    permission = VIEW
    nav = "chargebacks"
    buttons = (
        Button("Charge the client", "charge-case", ASK, "primary", when=_chargeable),
        Button("Give back", "return-case", ASK, "primary", when=_returnable),
        Button("It has moved", "move-case", WORK, when=_movable),
        Button("Add a note", "note-case", WORK, when=lambda row: row.client_id is not None),
        Button("Say whose it is", "assign-case", WORK, "primary", when=lambda row: row.client_id is None),
        Button("Evidence pack", "evidence-pack", WORK, when=lambda row: row.client_id is not None),
        Button("Move money from a login", "case-transfer", "payments.ask_transfer", when=_chargeable),
    )

    crumbs = _in_cases

    def heading(self) -> str:
        return f"Chargeback {self.row}"

    def subtitle(self) -> str:
        client = self.row.client
        return f"{client.number} · {self.row.entity.name}" if client else f"client unknown · {self.row.entity.name}"

    def context(self, row: ChargebackCase, tab: str) -> Mapping[str, Any]:
        events, postings = list(row.events.order_by("pk")), list(row.postings.select_related("approval"))
        reveal(events)
        sees_books = scope.may(self.user, "ledger.view_journal")
        sees_money = scope.may(self.user, "payments.view_moneyrequest")
        journals = [posting.journal_id for posting in postings]
        return {
            "tones": tables.CASE_TONES,
            "labels": tables.CASE_STATES,
            "next": found.next_step(row),
            "events": events,
            "postings": postings,
            "sees_books": sees_books,
            "booked": lines_of(row.entity_id, *journals) if sees_books and journals else [],
            "lines": found.lines_about(row) if scope.may(self.user, "integrations.view_pspline") else [],
            "charged": Money(found.charged(row), row.currency_id) if row.currency_id else None,
            "sees_money": sees_money,
            "wallets": page.wallets_of(row.client) if row.client and sees_money else [],
            "flags": visible.flags_of(self.user, row.client) if row.client else [],
            "restrictions": row.client.restrictions.filter(lifted_at=None) if row.client else [],
            "others": ChargebackCase.objects.filter(client=row.client_id).exclude(pk=row.pk)[:20] if row.client else [],
        }


class OpenCase(OfClient):
    title = "Chargeback case"
    permission = WORK
    form = forms.OpenCaseForm
    submit_label = "Open the case"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"client": target, "connections": forms.providers(target.entity_id)}

    def consequences(self, target: Client) -> Sequence[str]:
        return (
            "Where money was taken or a chargeback is notified, the client is flagged and withdrawals stop at once.",
            "Nothing is booked by this.",
        )

    def run(self, *, actor: Person, form: Any, target: Client) -> ChargebackCase:
        data, state = form.cleaned_data, CaseState(form.cleaned_data["state"])
        about = cases.About(
            entity_id=target.entity_id,
            connection_id=data["connection"].pk,
            dispute_reference=data["dispute_reference"].strip(),
            psp_reference=data["psp_reference"].strip(),
            deposit=data["deposit"],
            client_id=target.pk,
        )
        said = cases.Said(
            kind=state, state=state, happened_at=clock.now(), amount=Money(data["amount"], data["currency"].pk),
            deadline_at=data["deadline_at"], reason_code=data["reason_code"], method=data["method"], text=data["text"],
        )  # fmt: skip
        return cases.open_case(actor=actor, about=about, said=said)

    def message(self, result: ChargebackCase) -> str:
        return f"{result} is open."

    def success_url(self, result: ChargebackCase) -> str:
        return reverse("chargeback", args=[result.pk])


class OfCase(ActionPage):
    """An action on one case; goes back to the case's page."""

    queryset = found.cases()
    permission = WORK
    nav = "chargebacks"

    def heading(self) -> str:
        return f"{self.submit_label} · {self.target}"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(str(self.target), reverse("chargeback", args=[self.target.pk]))
        return (Crumb("Chargebacks", reverse("chargebacks")), here)

    def facts(self, target: ChargebackCase) -> Sequence[tuple[str, Any]]:
        client = target.client
        return (
            ("Client", f"{client.number} {client.name}" if client else "not known"),
            ("Disputed", Money(target.amount, target.currency_id or "") if target.amount is not None else "not said"),
            ("State", CaseState(target.state).label),
        )

    def success_url(self, result: Any) -> str:
        return reverse("chargeback", args=[self.target.pk])


class MoveCase(OfCase):
    form = forms.MoveCaseForm
    submit_label = "It has moved"

    def form_arguments(self, target: ChargebackCase) -> Mapping[str, Any]:
        return {"case": target}

    def consequences(self, target: ChargebackCase) -> Sequence[str]:
        return ("A case goes forward only. Won, lost and accepted are ends: a provisional reversal is none.",)

    def run(self, *, actor: Person, form: Any, target: ChargebackCase) -> ChargebackCase:
        data = form.cleaned_data
        return cases.move(
            actor=actor, case_id=target.pk, to=data["to"], text=data["text"], deadline_at=data["deadline_at"]
        )


class NoteCase(OfCase):
    form = forms.CaseNoteForm
    submit_label = "Add a note"

    def run(self, *, actor: Person, form: Any, target: ChargebackCase) -> ChargebackCase:
        data = form.cleaned_data
        return cases.note(actor=actor, case_id=target.pk, text=data["text"], deadline_at=data["deadline_at"])


class AssignCase(OfCase):
    form = forms.AssignCaseForm
    submit_label = "Say whose it is"

    def form_arguments(self, target: ChargebackCase) -> Mapping[str, Any]:
        return {"clients": self.visible(Client.objects.filter(entity=target.entity_id))}

    def run(self, *, actor: Person, form: Any, target: ChargebackCase) -> ChargebackCase:
        data = form.cleaned_data
        deposit_id = data["deposit"].pk if data["deposit"] else None
        return cases.assign(
            actor=actor, case_id=target.pk, client_id=data["number"].pk, deposit_id=deposit_id, text=data["text"]
        )


class ChargeCase(OfCase, GatedPage):
    permission = ASK
    form = forms.ChargeForm
    action = actions.CHARGE
    submit_label = "Charge the client"

    def form_arguments(self, target: ChargebackCase) -> Mapping[str, Any]:
        return {"case": target, "left": (target.amount or 0) - found.charged(target)}

    def consequences(self, target: ChargebackCase) -> Sequence[str]:
        return (
            "The wallet has less by it, and the house's loss goes down by as much, when another person has agreed.",
        )

    def payload(self, form: Any, target: ChargebackCase) -> actions.ChargeClient:
        wallet = form.cleaned_data["wallet"]
        return actions.ChargeClient(target.pk, wallet.pk, form.cleaned_data["amount"], wallet.currency_id)


class TakeFromLogin(OfCase, GatedPage):
    """Wallet money is charged; what is on a login comes to the wallet by an ordinary transfer first."""

    permission = "payments.ask_transfer"
    form = forms.FromLoginForm
    action = inside.TRANSFER
    submit_label = "Move money from a login"

    def form_arguments(self, target: ChargebackCase) -> Mapping[str, Any]:
        return {"case": target}

    def consequences(self, target: ChargebackCase) -> Sequence[str]:
        return (
            "The trade server is debited when another person has agreed. Open positions may be stopped out by it.",
            "Charging the wallet is asked for afterwards.",
        )

    def payload(self, form: Any, target: ChargebackCase) -> inside.Transfer:
        data = form.cleaned_data
        assert target.client_id is not None
        return inside.Transfer(
            client_id=target.client_id,
            source_wallet=None,
            source_account=data["account"].pk,
            target_wallet=data["wallet"].pk,
            target_account=None,
            amount=data["amount"],
            currency=data["wallet"].currency_id,
        )


class ReturnCase(OfCase, GatedPage):
    permission = ASK
    form = forms.ReturnForm
    action = actions.RETURN
    submit_label = "Give back"

    def form_arguments(self, target: ChargebackCase) -> Mapping[str, Any]:
        return {"case": target}

    def payload(self, form: Any, target: ChargebackCase) -> actions.ReturnCharge:
        return actions.ReturnCharge(target.pk, form.cleaned_data["posting"].pk)
