"""Who must agree to money, and which bank accounts hold the clients'."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from accounts.models import FlagKind
from backoffice.approvals.records import Rule
from backoffice.approvals.services import requests
from backoffice.demo.people import person
from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from ledger.models import LedgerAccount
from reconciliation.actions.client_money import RULE, SEGREGATED, AskRule, AskSegregated
from reconciliation.models import Regime, SegregatedAccount

HIGH = 10_000
_LARGE = "payments.approve_withdrawal_large"
_AML = "payments.approve_withdrawal_aml"
_BANKS = {"CY": "Demo Bank of Cyprus", "UK": "Demo Bank of England"}


def of_money() -> list[Rule]:
    """A withdrawal is approved by one person and sent by another; a large one has management as second approver, one to
    a payee that changed lately compliance. A top-up of client money is carried out by a third person."""
    young = FlagKind.PAYEE_CHANGED.value
    return [
        rule("payments.pay_withdrawal"),
        rule("payments.pay_withdrawal", HIGH, approvers=2, second=_LARGE),
        rule("payments.pay_withdrawal", flag=young, approvers=2, second=_AML),
        rule("payments.confirm_deposit"),
        rule("payments.transfer"),
        rule("payments.adjust"),
        rule("payments.adjust", 5_000, approvers=2, second="payments.approve_adjustment_large"),
        rule("payments.verify_payee"),
        rule("reconciliation.top_up", executor="reconciliation.execute_top_up"),
    ]


def rule(
    action: str, amount: int = 0, *, approvers: int = 1, second: str = "", executor: str = "", flag: str = ""
) -> Rule:
    """A rule for all entities."""
    return Rule(
        action=action,
        entity_id=None,
        from_amount=Decimal(amount),
        risk_flag=flag,
        approvers=approvers,
        approve_permission="",
        second_permission=second,
        execute_permission=executor,
        expires_after_hours=72,
        sla_hours=8,
        bulk=False,
    )


def of_client_money() -> None:
    """What holds for all entities is the British rule; the Cypriot one calculates alike under its own directive."""
    here = LegalEntity.objects.get(code="CY")
    payload = AskRule(
        entity_id=here.pk, regime=Regime.CYSEC.value, valid_from=clock.today(), rate_source="", rate_days=7,
        in_flight=True, receipts=True, note="Directive DI87-01",
    )  # fmt: skip
    asked = requests.submit(actor=person("fred"), action=RULE, payload=payload, reason="The regulator's rule.")
    requests.approve(
        actor=person("fiona"), request_id=asked.pk, seen_hash=asked.payload_hash, reason="As the directive says."
    )


def segregate(since: date, ibans: Mapping[tuple[str, str], str]) -> None:
    """Fred names the client bank accounts that the books have by now, Fiona agrees. The house's own are none."""
    named = SegregatedAccount.objects.values("account_id")
    codes = [f"bank.{iban}" for (bank, _), iban in ibans.items() if bank.startswith("bank")]
    rows = LedgerAccount.objects.filter(code__in=codes).exclude(pk__in=named).select_related("entity")
    for account in rows.order_by("entity_id", "code"):
        payload = AskSegregated(account.pk, _BANKS[account.entity.code], since)
        asked = requests.submit(
            actor=person("fred"), action=SEGREGATED, payload=payload, reason="The bank's acknowledgement is on file."
        )
        requests.approve(
            actor=person("fiona"), request_id=asked.pk, seen_hash=asked.payload_hash, reason="Acknowledgement seen."
        )
