"""Why something was done to a client, as codes. None of them says more than everybody on the floor may know: what
must stay inside compliance is written in the flag or in a confidential note."""

from __future__ import annotations

from django.db import models


class Reason(models.TextChoices):
    """Reasons that staff choose; every reader of the client's page sees them."""

    CLIENT_REQUEST = "CLIENT_REQUEST", "client asked for it"
    KYC_RECHECK = "KYC_RECHECK", "identity or documents to be checked again"
    TRADING_ABUSE = "TRADING_ABUSE", "terms of trading"
    PAYMENT_DISPUTE = "PAYMENT_DISPUTE", "payment or chargeback question"
    SECURITY = "SECURITY", "security of the account"
    LEGAL_ORDER = "LEGAL_ORDER", "order of a court or authority"
    BEREAVEMENT = "BEREAVEMENT", "client has died or lost capacity"
    COMPLAINT = "COMPLAINT", "complaint under way"
    INACTIVITY = "INACTIVITY", "no activity for the agreed time"
    POLICY = "POLICY", "house policy"
    # What a finished cause looks like.
    CLEARED = "CLEARED", "checked; the cause is gone"
    COMPLETED = "COMPLETED", "completed"
    ENTERED_IN_ERROR = "ENTERED_IN_ERROR", "entered by mistake"
    # Written by jobs.
    FUNDED = "FUNDED", "first deposit booked"
    EXPIRED = "EXPIRED", "its time has passed"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED", "a document has expired"
    RETENTION_OVER = "RETENTION_OVER", "retention period over"


BY_JOBS = frozenset({Reason.FUNDED, Reason.EXPIRED, Reason.DOCUMENT_EXPIRED, Reason.RETENTION_OVER})
_ENDS = (Reason.CLEARED, Reason.COMPLETED, Reason.ENTERED_IN_ERROR, Reason.CLIENT_REQUEST, Reason.KYC_RECHECK)
TO_PROTECT = [(r.value, r.label) for r in Reason if r not in BY_JOBS and r not in _ENDS[:3]]
TO_FORCE = [(r.value, str(r.label)) for r in (Reason.SECURITY, Reason.CLIENT_REQUEST, Reason.POLICY)]
TO_LIFT = [(r.value, r.label) for r in _ENDS]
