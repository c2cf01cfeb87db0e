"""Chargeback cases as others read them: what stands against a client, what became of a deposit, what is booked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal

from django.db import connection as database
from django.db.models import Case, DecimalField, F, QuerySet, Sum, When

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from integrations.models import PspLine
from integrations.records import PspKind
from payments.models import CaseState, ChargebackCase
from payments.models.chargebacks import BLOCKING_REFUND

VIEW, WORK = "payments.view_chargebackcase", "payments.work_chargeback"
MOST = 100
# A deadline is near when it ends within so many days.
NEAR = timedelta(days=3)


def cases() -> QuerySet[ChargebackCase]:
    return ChargebackCase.objects.select_related("client", "entity", "connection")


def due() -> QuerySet[ChargebackCase]:
    """Open cases whose deadline is near or over."""
    return ChargebackCase.objects.filter(ended_at=None, deadline_at__lt=clock.now() + NEAR)


def due_count(user: User) -> int:
    """How many the person may work on; at most MOST, and none for those who only look."""
    if not scope.may(user, WORK):
        return 0
    return len(scope.visible(user, due(), WORK).order_by()[:MOST].values_list("pk"))


def open_cases(client_id: int) -> list[str]:
    """A sentence for each open case of a client."""
    rows = ChargebackCase.objects.filter(client=client_id, ended_at=None).order_by("pk")
    return [f"{row}: {row.get_state_display()} since {row.state_at:%Y-%m-%d}" for row in rows]


def charged_back(request_ids: Sequence[int]) -> dict[int, Decimal]:
    """How much of each deposit is disputed or gone, in the deposit's currency; all of it where the dispute is in
    another currency or of an unknown amount."""
    rows = ChargebackCase.objects.filter(deposit__in=request_ids, state__in=BLOCKING_REFUND).select_related("deposit")
    found: dict[int, Decimal] = {}
    for row in rows:
        assert row.deposit is not None
        same = row.amount is not None and row.currency_id == row.deposit.currency_id
        gone = row.amount if same and row.amount is not None else row.deposit.amount
        found[row.deposit.pk] = min(found.get(row.deposit.pk, Decimal(0)) + gone, row.deposit.amount)
    return found


def charged(case: ChargebackCase) -> Decimal:
    """What the client bears of a case now: charges less returns, in the case's currency."""
    signed = Case(When(kind="CHARGE", then=F("amount")), default=-F("amount"), output_field=DecimalField())
    return case.postings.aggregate(all=Sum(signed))["all"] or Decimal(0)


def lines_about(case: ChargebackCase) -> list[PspLine]:
    """The provider's lines about a case's payment and dispute, oldest first."""
    names = [name for name in (case.psp_reference, case.dispute_reference) if name]
    with database.cursor() as rows:
        rows.execute(_LINES, [case.entity_id, names, case.pk])
        ids = [pk for (pk,) in rows.fetchall()]
    return list(PspLine.objects.filter(entity_id=case.entity_id, id__in=ids).order_by("booked_at", "id"))


_LINES = """
SELECT l.id FROM integrations_pspline l
 WHERE l.entity_id = %s
   AND (l.psp_reference = ANY (%s)
        OR l.id IN (SELECT source_id FROM payments_caseevent WHERE source = 'psp' AND case_id = %s))
   AND NOT EXISTS (SELECT FROM integrations_superseded s WHERE s.fact_kind = 'psp' AND s.fact_id = l.id)
 ORDER BY l.booked_at, l.id LIMIT 100
"""


def payment(entity_id: int, names: Collection[str]) -> PspLine | None:
    """The line of a report by which a payment of one of these names came."""
    rows = PspLine.objects.filter(entity_id=entity_id, psp_reference__in=names, kind=PspKind.PAYMENT.value)
    return rows.order_by("id").first()


def next_step(case: ChargebackCase) -> str:
    """What has to happen next, and who does it; empty when it is over and settled."""
    borne = charged(case)
    if case.state == CaseState.WON and borne:
        return "Won: finance asks to give the client back what was charged."
    if case.state == CaseState.REVERSED:
        return "The money is back for now. The issuer may still come with a second chargeback: not won yet."
    if case.client_id is None:
        return "Nobody knows whose payment it was: payments says which client and deposit."
    if not case.is_open:
        lost = case.taken_at is not None and case.state not in (CaseState.WON, CaseState.PREVENTED)
        return "Lost: what is not charged to the client is the house's loss." if lost else ""
    return _open_step(case)


def _open_step(case: ChargebackCase) -> str:
    if case.state in (CaseState.FRAUD_NOTICE,):
        return "No money moves by a fraud notice. Look at the client's other payments by this card."
    until = f" until {case.deadline_at:%Y-%m-%d %H:%M} UTC" if case.deadline_at else " (the provider names no deadline)"
    if case.state == CaseState.DEFENDED:
        return "Evidence was sent. Waits for the issuer."
    return f"Answer with evidence at the provider{until}, or accept the loss."
