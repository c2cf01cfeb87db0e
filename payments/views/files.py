"""Payment files as pages: what waits for one, putting one together, handing it out, the bank's report, own accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage, Page
from ledger.models import LedgerAccount
from payments import filters
from payments.actions import files as actions
from payments.forms import files as forms
from payments.models import FileExport, FileState, LineStatus, PaymentFile, Payout, StatusReport
from payments.selectors import files
from payments.services import file_reports
from payments.services import files as services
from payments.tables import desk as tables

VIEW, SEND = "payments.view_paymentfile", "payments.send_payout"
FILES = PaymentFile.objects.select_related("entity", "bank", "made_by").defer("content")


class PaymentFileList(ListPage):
    title = "Payment files"
    queryset = FILES
    table = tables.PaymentFileTable
    filters = filters.PaymentFileFilters
    permission = VIEW
    buttons = (
        Button("Payouts for files", "file-payouts", "payments.ask_paymentfile", "primary"),
        Button("Import a status report", "import-status-report", file_reports.IMPORT),
        Button("Accounts to pay from", "own-banks", "payments.view_ownbank"),
    )


def _in_files(_: Page) -> Sequence[Crumb]:
    return (Crumb("Payment files", reverse("payment-files")),)


def _in_banks(page: Page) -> Sequence[Crumb]:
    """The list of accounts is of those who may see payment files and of those who propose one."""
    files = _in_files(page) if scope.may(page.user, VIEW) else ()
    return (*files, Crumb("Accounts to pay from", reverse("own-banks")))


class FilePayouts(ListPage):
    title = "Payouts for files"
    queryset = files.ready()
    table = tables.FilePayoutTable
    filters = filters.FilePayoutFilters
    permission = "payments.ask_paymentfile"
    nav = "payment-files"
    crumbs = _in_files


class MakeBatch(GatedPage):
    """The picked payouts as one file, of one entity and one currency."""

    title = "Put together a payment file"
    crumbs = _in_files
    queryset = files.ready()
    bulk = True
    permission = "payments.ask_paymentfile"
    form = forms.BatchForm
    action = actions.MAKE_FILE
    nav = "payment-files"

    def form_arguments(self, target: Sequence[Payout]) -> Mapping[str, Any]:
        first = target[0]
        banks = files.own_banks().filter(entity=first.entity_id, currency=first.currency_id)
        return {"banks": self.visible(banks)}

    def facts(self, target: Sequence[Payout]) -> Sequence[tuple[str, Any]]:
        sums = {row.currency_id: Money(Decimal(0), row.currency_id) for row in target}
        for row in target:
            sums[row.currency_id] = Money(sums[row.currency_id].amount + row.amount, row.currency_id)
        return (
            ("Payments", len(target)),
            ("Entity", ", ".join(sorted({row.entity.code for row in target}))),
            *((f"Total {code}", total) for code, total in sorted(sums.items())),
        )

    def consequences(self, target: Sequence[Payout]) -> Sequence[str]:
        return (
            "The file is tried out now and made when another person approves it.",
            "Each payment is in one file only. Nothing leaves before the file is handed out.",
        )

    def payload(self, form: Any, target: Sequence[Payout]) -> actions.MakeFile:
        if len({(row.entity_id, row.currency_id) for row in target}) > 1:
            raise DomainError("A file has payments of one entity in one currency. Pick those of one kind.")
        data = form.cleaned_data
        return actions.batch(data["bank"], data["scheme"], data["execution_date"], target)


def _is(*states: FileState) -> Any:
    return lambda row: row.state in states


_OUT = (FileState.SENT, FileState.ACCEPTED, FileState.PARTLY)


class PaymentFileDetail(DetailPage):
    queryset = FILES.select_related("approval", "bank__account")
    template = "payments/file.html"
    permission = VIEW
    nav = "payment-files"
    buttons = (
        Button("Hand out", "hand-out-file", SEND, "primary", when=_is(FileState.MADE)),
        Button("Hand out again", "hand-out-file", SEND, when=_is(*_OUT)),
        Button("Do not send", "discard-file", SEND, "danger", when=_is(FileState.MADE)),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Payment files", reverse("payment-files")),)

    def heading(self) -> str:
        return str(self.row.message_id)

    def subtitle(self) -> str:
        return f"{self.row.entity.name} · {self.row.bank}"

    def context(self, row: PaymentFile, tab: str) -> Mapping[str, Any]:
        newest = Prefetch("statuses", LineStatus.objects.order_by("-pk"), to_attr="told")
        lines = list(row.lines.select_related("payout__request__client").prefetch_related(newest))
        for line in lines:
            told: list[LineStatus] = line.told
            line.said = _words(told[0]) if told else ""  # type: ignore[attr-defined]
        return {
            "tones": tables.FILE_TONES,
            "labels": dict(FileState.choices),
            "next": files.next_step(row),
            "lines": tables.FileLineTable().html(lines, caption="Payments of the file"),
            "exports": row.exports.select_related("by"),
            "reports": row.reports.defer("content").select_related("by"),
        }


def _words(status: LineStatus) -> str:
    codes = ", ".join(f"{code} {file_reports.WORDS.get(code, '')}".strip() for code in status.reasons)
    return f"{status.status}: {codes}" if codes else str(status.status)


class _OfFile(ActionPage):
    queryset = FILES
    permission = SEND
    nav = "payment-files"

    def crumbs(self) -> Sequence[Crumb]:
        here = Crumb(self.target.message_id, reverse("payment-file", args=[self.target.pk]))
        return (*_in_files(self), here)

    def heading(self) -> str:
        return self.submit_label

    def facts(self, target: PaymentFile) -> Sequence[tuple[str, Any]]:
        return (
            ("Payments", target.number),
            ("Total", Money(target.total, target.currency_id)),
            ("From", str(target.bank)),
            ("SHA-256", target.sha256),
        )

    def success_url(self, result: Any) -> str:
        return reverse("payment-file", args=[self.target.pk])


class HandOut(_OfFile):
    """The answer to the form is the file itself: bytes leave together with the note that they did."""

    form = forms.HandOutForm
    submit_label = "Hand out"
    tone = "primary"
    taken: FileExport | None = None

    def form_arguments(self, target: PaymentFile) -> Mapping[str, Any]:
        return {"again": target.exports.exists()}

    def consequences(self, target: PaymentFile) -> Sequence[str]:
        return ("The file is downloaded, and it is noted who took it.", "From then on its money counts as sent.")

    def run(self, *, actor: Person, form: Any, target: PaymentFile) -> FileExport:
        reason = form.cleaned_data.get("reason", "")
        self.taken = services.hand_out(actor=actor, file_id=target.pk, reason=reason)
        return self.taken

    def message(self, result: FileExport) -> str:
        return f"{result.file.message_id} was handed out to you."

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = super().post(request, *args, **kwargs)
        return answer if self.taken is None else _download(self.taken)


def _download(export: FileExport) -> HttpResponse:
    response = HttpResponse(bytes(export.file.content), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{export.file.message_id}.xml"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


class Discard(_OfFile):
    form = forms.DiscardForm
    submit_label = "Do not send"
    tone = "danger"

    def consequences(self, target: PaymentFile) -> Sequence[str]:
        return ("The money of all its payments is the clients' again. Another way is another request.",)

    def run(self, *, actor: Person, form: Any, target: PaymentFile) -> PaymentFile:
        return services.discard(actor=actor, file_id=target.pk, reason=form.cleaned_data["reason"])


class ImportReport(ActionPage):
    title = "Import a status report"
    crumbs = _in_files
    permission = file_reports.IMPORT
    form = forms.ReportForm
    submit_label = "Import"
    nav = "payment-files"

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "The money of refused payments is the clients' again, linked to the payment.",
            "What the file does not have, or what does not fit, does nothing and is named on the file's page.",
        )

    def run(self, *, actor: Person, form: Any, target: Any) -> StatusReport:
        return file_reports.take(actor=actor, stream=form.cleaned_data["file"].file)

    def message(self, result: StatusReport) -> str:
        doubt = [*result.unknown, *result.conflicts]
        return f"{result.message_id} was read." + (f" In doubt: {'; '.join(doubt[:5])}." if doubt else "")

    def success_url(self, result: StatusReport) -> str:
        return reverse("payment-file", args=[result.file_id])


class OwnBankList(ListPage):
    title = "Accounts to pay from"
    queryset = files.own_banks()
    table = tables.OwnBankTable
    permission = "payments.view_ownbank"
    buttons = (Button("Propose an account", "choose-own-bank", "payments.ask_ownbank"),)


class ChooseOwnBank(ListPage):
    title = "Propose an account to pay from"
    queryset = files.bank_accounts()
    table = tables.BankAccountTable
    permission = "payments.ask_ownbank"
    nav = "own-banks"
    crumbs = _in_banks


class ChangeOwnBank(GatedPage):
    queryset = files.bank_accounts()
    permission = "payments.ask_ownbank"
    form = forms.OwnBankForm
    action = actions.CHANGE_BANK
    nav = "own-banks"
    crumbs = _in_banks

    def heading(self) -> str:
        return f"Pay from {self.target.code} · {self.target.currency_id}"

    def form_arguments(self, target: LedgerAccount) -> Mapping[str, Any]:
        known: Mapping[str, Any] = files.own_banks().filter(account=target.pk).values().first() or {}
        return {"initial": {name: known.get(name, "") for name in self.form.base_fields if name != "reason"}}

    def payload(self, form: Any, target: LedgerAccount) -> actions.ChangeBank:
        data = {name: form.cleaned_data[name] for name in forms.OwnBankForm.base_fields if name != "reason"}
        return actions.ChangeBank(account_id=target.pk, **data)
