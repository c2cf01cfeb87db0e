"""Rows for the pages of access: grants of the set-up, and waivers that Sam asked for and Mia approved."""

from __future__ import annotations

from datetime import timedelta

from backoffice.access import actions
from backoffice.access.models import Waiver
from backoffice.access.services import grants
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity, User
from tests.builders import ROBOT, person, user
from tests.pages import Made, builds


@builds("matrix", "ask-grant", "ask-waiver", "ask-break-glass")
def nothing(here: LegalEntity, number: int) -> Made:
    return Made()


@builds("grants", "ask-revoke")
def given(here: LegalEntity, number: int) -> Made:
    known = User.objects.count()
    made = [
        grants.set_up(
            actor=ROBOT, user=User.objects.create(username=f"given-{known + n}"), role="DLR", entities=[here.pk]
        )
        for n in range(number)
    ]
    return Made(kwargs={"pk": made[0].pk}, words=(made[0].user.username,))


@builds("end-waiver")
def waived(here: LegalEntity, number: int) -> Made:
    asking = person(user("asking", actions.ASK, entities=(here,)))
    deciding = person(user("deciding", actions.DECIDE, entities=(here,)))
    known = User.objects.count()
    for n in range(number):
        who = User.objects.create(username=f"waived-{known + n}")
        payload = actions.PairWaiver(who.pk, 2, clock.now() + timedelta(days=30), "two people in the office")
        asked = requests.submit(actor=asking, action=actions.WAIVE, payload=payload, reason="a small firm")
        requests.approve(actor=deciding, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Made(kwargs={"pk": Waiver.objects.latest("pk").pk})
