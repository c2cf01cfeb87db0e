"""How the lists of requests for money, payees and receipts are narrowed."""

from __future__ import annotations

from backoffice.ui import filters
from payments.models import AlertState, CaseState, FileState, FraudKind, PayeeKind, PayeeState, RequestState, Scheme


class RequestFilters(filters.Filters):
    reference = filters.Exact("reference", "Reference", hint="W-7K3M9QPX")
    client = filters.Exact("client__number", "Client")
    state = filters.MultiChoice("state", "State", RequestState.choices)
    method = filters.MultiChoice("method", "Method", PayeeKind.choices)
    amount = filters.AmountRange("amount", "Amount")
    asked = filters.MomentRange("asked_at", "Entered")
    entity = filters.Entities()


class WorkFilters(filters.Filters):
    reference = filters.Exact("reference", "Reference", hint="W-7K3M9QPX")
    client = filters.Exact("client__number", "Client")
    method = filters.MultiChoice("method", "Method", PayeeKind.choices)
    entity = filters.Entities()


class PayeeFilters(filters.Filters):
    client = filters.Exact("client__number", "Client")
    kind = filters.MultiChoice("kind", "Kind", PayeeKind.choices)
    state = filters.MultiChoice("state", "State", PayeeState.choices)
    entity = filters.Entities()


class ReceiptFilters(filters.Filters):
    booked = filters.DateRange("booking_date", "Booked")
    amount = filters.AmountRange("amount", "Amount")
    entity = filters.Entities()


class CaseFilters(filters.Filters):
    client = filters.Exact("client__number", "Client")
    reference = filters.Exact("psp_reference", "Payment's reference")
    dispute = filters.Exact("dispute_reference", "Dispute's reference")
    state = filters.MultiChoice("state", "State", CaseState.choices)
    opened = filters.MomentRange("opened_at", "Opened")
    amount = filters.AmountRange("amount", "Disputed")
    entity = filters.Entities()


class DueCaseFilters(filters.Filters):
    client = filters.Exact("client__number", "Client")
    state = filters.MultiChoice("state", "State", CaseState.choices)
    deadline = filters.MomentRange("deadline_at", "Deadline")
    entity = filters.Entities()


class RatioFilters(filters.Filters):
    month = filters.DateRange("month", "Month")
    scheme = filters.MultiChoice("scheme", "Scheme", Scheme.choices)
    entity = filters.Entities()


class PaymentFileFilters(filters.Filters):
    file = filters.Exact("message_id", "File")
    state = filters.MultiChoice("state", "State", FileState.choices)
    made = filters.MomentRange("made_at", "Made")
    entity = filters.Entities()


class FilePayoutFilters(filters.Filters):
    reference = filters.Exact("reference", "Payment", hint="W-7K3M9QPX")
    currency = filters.Exact("currency_id", "Currency", hint="EUR")
    entity = filters.Entities()


class AlertFilters(filters.Filters):
    client = filters.Exact("client__number", "Client")
    kind = filters.MultiChoice("kind", "Rule", FraudKind.choices)
    state = filters.MultiChoice("state", "State", AlertState.choices)
    mine = filters.Mine("assignee", "Assigned to me")
    found = filters.MomentRange("opened_at", "Found")
    entity = filters.Entities()
