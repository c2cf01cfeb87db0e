from payments.models.chargebacks import CaseEvent, CasePosting, CaseState, ChargebackCase, EventSource, PostingKind
from payments.models.evidence import Cursor, Evidence
from payments.models.files import (
    Charges,
    FileExport,
    FileScheme,
    FileState,
    LineStatus,
    OwnBank,
    PaymentFile,
    PaymentFileLine,
    StatusReport,
)
from payments.models.fraud import AlertState, FraudAlert, FraudEvent, FraudKind, FraudRule, Outcome
from payments.models.payees import Payee, PayeeKind, PayeeState
from payments.models.payouts import Payout, PayoutState, PayoutWay
from payments.models.ratios import DisputeMonth, Scheme
from payments.models.requests import MoneyRequest, RequestEvent, RequestKind, RequestState
from payments.models.rules import CreditOn, PaymentRule, SourceOrder

__all__ = [
    "AlertState",
    "CaseEvent",
    "CasePosting",
    "CaseState",
    "ChargebackCase",
    "Charges",
    "CreditOn",
    "Cursor",
    "DisputeMonth",
    "EventSource",
    "Evidence",
    "FileExport",
    "FileScheme",
    "FileState",
    "FraudAlert",
    "FraudEvent",
    "FraudKind",
    "FraudRule",
    "LineStatus",
    "MoneyRequest",
    "Outcome",
    "OwnBank",
    "Payee",
    "PayeeKind",
    "PayeeState",
    "PaymentFile",
    "PaymentFileLine",
    "PaymentRule",
    "Payout",
    "PayoutState",
    "PayoutWay",
    "PostingKind",
    "RequestEvent",
    "RequestKind",
    "RequestState",
    "Scheme",
    "SourceOrder",
    "StatusReport",
]
