"""What has happened to some of the demo's clients: a suspension, reviews, holds, flags, applicants, notes.

All of it through the use cases, by the people whose work it is, on the morning after the live day; the trade server
is told and confirms before the office opens.
"""

from __future__ import annotations

from datetime import timedelta

from accounts import actions
from accounts.actions import Lift, Step
from accounts.models import Client, Document, FlagKind, KycResult, Reason, RestrictionKind
from accounts.services import closing, flags, onboarding, papers, protective, restrictions
from backoffice.approvals.services import requests
from backoffice.demo.chance import Dice
from backoffice.demo.clients import Client as Planned
from backoffice.demo.people import person
from backoffice.demo.scene import Scene
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.organisation.models import LegalEntity
from backoffice.outbox import services as outbox

_CHECKER = System("identity checks")
_SERVER = "mt5-live"
_AT_ONCE = 10_000


def check_identity(dice: Dice, client: Planned, client_id: int) -> None:
    """The papers with which a client came, and how the check came out."""
    today = clock.today()
    papers.add_document(
        actor=_CHECKER,
        client_id=client_id,
        kind=Document.Kind.IDENTITY,
        name="passport" if dice.chance(70) else "identity card",
        expires_date=today + timedelta(days=dice.number(400, 3_000)),
    )
    papers.record_kyc(
        actor=_CHECKER,
        client_id=client_id,
        provider="Veritable ID",
        reference=f"V-{dice.digits(8)}",
        outcome=KycResult.Outcome.ACCEPTED if dice.chance(5) else KycResult.Outcome.CLEAN,
        risk=dice.weighted([(KycResult.Risk.LOW, 75), (KycResult.Risk.MEDIUM, 20), (KycResult.Risk.HIGH, 5)]),
        is_pep=dice.chance(2),
        next_review_date=today + timedelta(days=365),
    )


def happen(scene: Scene) -> None:
    """Everything, then the server's word on it."""
    chosen = _Chosen(scene)
    _protect(chosen)
    _flag(chosen)
    _apply(Dice(scene.seed, "applicants"))
    outbox.send_due(limit=_AT_ONCE)


class _Chosen:
    """Clients of the MT5 server that nothing planted is about, one after the other."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._dice = Dice(scene.seed, "lives")

    def next(self, logins: int = 1) -> int:
        """The id of the next one, with at least this many logins."""
        while True:
            client = self._scene.take_login(self._dice, _SERVER, quiet=True).client
            if len(client.logins) >= logins and not self._scene.is_taken(client):
                return Client.objects.get(number=client.number).pk


def _protect(chosen: _Chosen) -> None:
    """Two suspensions, a review with a request to end it, a restriction, a closing."""
    dana, carl, sue, cora = (person(name) for name in ("dana", "carl", "sue", "cora"))
    two_logins = chosen.next(logins=2)
    protective.suspend(actor=dana, client_id=two_logins, reason=Reason.TRADING_ABUSE, trading=protective.CLOSE_ONLY)
    papers.add_note(
        actor=dana, client_id=two_logins, text="Orders around news on both logins; asked for an explanation."
    )
    protective.suspend(actor=carl, client_id=chosen.next(), reason=Reason.SECURITY)
    reviewed = chosen.next()
    protective.put_under_review(actor=carl, client_id=reviewed, reason=Reason.KYC_RECHECK)
    papers.add_note(actor=sue, client_id=reviewed, text="New proof of address received and entered.")
    asked = Step(client_id=reviewed, reason=Reason.CLEARED)
    requests.submit(actor=cora, action=actions.REACTIVATE, payload=asked, reason="The papers are in order again.")
    limited = chosen.next()
    row = restrictions.restrict(
        actor=dana, client_id=limited, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.PAYMENT_DISPUTE
    )
    lift = Lift(restriction_id=row.pk, reason=Reason.CLEARED)
    requests.submit(actor=carl, action=actions.LIFT, payload=lift, reason="The payment has been explained.")
    closing.start_closing(actor=sue, client_id=chosen.next(), reason=Reason.CLIENT_REQUEST)


def _flag(chosen: _Chosen) -> None:
    """A hold, a review that reads like it, and one of most other kinds."""
    held = chosen.next()
    hold = flags.set_flag(
        actor=person("carl"), client_id=held, kind=FlagKind.AML_HOLD, note="Funds from an account of a third person."
    )
    flags.ask_consent(actor=person("mona"), flag_id=hold.pk, on=clock.today())
    note = "Report made; nobody outside compliance is to know."
    papers.add_note(actor=person("mona"), client_id=held, text=note, confidential=True)
    for who, kind, text in (
        ("cora", FlagKind.OPERATIONAL_REVIEW, "Two addresses in use."),
        ("carl", FlagKind.PEP, "Member of a parliament."),
        ("sue", FlagKind.VULNERABLE, "Asked for large print and calls in the morning."),
        ("pat", FlagKind.CHARGEBACK_RISK, "Two disputes in a month."),
        ("dana", FlagKind.TOXIC, "Latency arbitrage on gold."),
        ("carl", FlagKind.STAFF, "Married to a member of staff."),
    ):
        flags.set_flag(actor=person(who), client_id=chosen.next(), kind=kind, note=text)


def _apply(dice: Dice) -> None:
    """Three applicants on their way in."""
    sue, entity = person("sue"), LegalEntity.objects.get(code="CY")
    names = (("Lena Brandt", "DE"), ("Paolo Ricci", "IT"), ("Northern Trade Ltd", "CY"))
    for number, (name, country) in enumerate(names, start=1):
        client = onboarding.apply(actor=sue, entity_id=entity.pk, number=f"CY-A{number:04}", name=name, country=country)
        if number > 1:
            onboarding.start_check(actor=sue, client_id=client.pk)
        if number > 2:
            papers.add_document(
                actor=sue, client_id=client.pk, kind=Document.Kind.COMPANY, name="certificate of incorporation"
            )
            onboarding.papers_complete(actor=sue, client_id=client.pk)
            papers.record_kyc(
                actor=person("carl"),
                client_id=client.pk,
                provider="Veritable ID",
                reference=f"V-{dice.digits(8)}",
                outcome=KycResult.Outcome.CLEAN,
                risk=KycResult.Risk.MEDIUM,
                is_company=True,
            )
