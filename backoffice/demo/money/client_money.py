"""Client money of the demo's days: Fred calculates, Fiona signs, and what is short is asked to be made up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.demo.days import shifted
from backoffice.demo.people import person
from backoffice.demo.scene import Scene
from backoffice.organisation.models import LegalEntity
from reconciliation.actions.client_money import TOP_UP, AskTopUp
from reconciliation.models import ClientMoneyRun, SegregatedAccount, TopUp
from reconciliation.services import client_money

_CENTS = Decimal("0.01")


def calculate(day: date) -> list[ClientMoneyRun]:
    """The calculation of every entity for the close of a day, signed by a second person."""
    runs = []
    for entity_id in LegalEntity.objects.order_by("pk").values_list("pk", flat=True):
        made = client_money.run(actor=person("fred"), entity_id=entity_id, day=day)
        runs.append(client_money.sign(actor=person("fiona"), run_id=made.pk, seen_hash=made.content_hash))
    return runs


def ask_to_make_up(run: ClientMoneyRun) -> Request | None:
    """Fred asks for the house's own money where a calculation is short; it waits for Fiona, then for Pat."""
    if not run.is_short:
        return None
    home = SegregatedAccount.objects.get(entity=run.entity_id, account__currency=run.currency_id)
    payload = AskTopUp(run.pk, home.pk, -run.difference.quantize(_CENTS), run.currency_id)
    return requests.submit(actor=person("fred"), action=TOP_UP, payload=payload, reason=f"Shortfall of {run.as_of}.")


def make_up(run: ClientMoneyRun, scene: Scene) -> None:
    """The same to its end: on the next business day both banks show the payment with its reference."""
    asked = ask_to_make_up(run)
    if asked is None:
        return
    seen = asked.payload_hash
    requests.approve(actor=person("fiona"), request_id=asked.pk, seen_hash=seen, reason="Short.")
    requests.execute(actor=person("pat"), request_id=asked.pk, seen_hash=seen)
    paid = TopUp.objects.get(run=run)
    code, day, size = run.entity.code.lower(), shifted(run.as_of, 1), paid.amount.quantize(_CENTS)
    for bank, amount, family in (("house", -size, "ICDT"), ("bank", size, "RCDT")):
        text = f"{paid.reference} client money"
        row = scene.bank_line(
            f"{bank}-{code}", day, run.currency_id, amount, text, code=("PMNT", family, "BOOK"), name=run.entity.name
        )
        row.number = f"{day:%y%m%d}T{paid.reference[2:]}{family[0]}"
