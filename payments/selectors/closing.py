"""What of payments has to be looked at before a day or a month is closed."""

from __future__ import annotations

from datetime import date

from django.urls import reverse

from backoffice.approvals.registry import Level
from ledger.registry import Finding
from payments.models import CaseState, ChargebackCase, FileState, PaymentFile
from payments.selectors import lists


def of_day(entity_id: int, day: date) -> list[Finding]:
    doubt = lists.doubtful().filter(entity=entity_id, asked_at__date__lte=day).count()
    here = PaymentFile.objects.filter(entity=entity_id, state=FileState.MADE, made_at__date__lte=day).count()
    return [
        Finding(
            Level.RED if doubt else Level.GREEN,
            "No payment is in doubt",
            f"{doubt} requests" if doubt else "none",
            reverse("in-doubt"),
        ),
        Finding(
            Level.AMBER if here else Level.GREEN,
            "Payment files are handed out",
            f"{here} made and not taken" if here else "all of them",
            reverse("payment-files"),
        ),
    ]


def of_period(entity_id: int, last_day: date) -> list[Finding]:
    """A case in which the bank took the money has its posting."""
    taken = ChargebackCase.objects.filter(entity=entity_id, state=CaseState.CHARGED_BACK, state_at__date__lte=last_day)
    open_ones = taken.filter(postings=None).count()
    return [
        Finding(
            Level.RED if open_ones else Level.GREEN,
            "Chargebacks are posted",
            f"{open_ones} without a posting" if open_ones else "all of them",
            reverse("chargebacks"),
        )
    ]
