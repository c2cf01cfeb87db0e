"""Rows for the pages of webhooks, through the door that takes them in."""

from __future__ import annotations

from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from integrations.models import Webhook
from tests import hooks
from tests.pages import Made, builds


@builds("webhooks", "webhook")
def received(here: LegalEntity, number: int) -> Made:
    where = hooks.endpoint(code=here.code)
    known = Webhook.objects.count()
    for n in range(known, known + number):
        event = hooks.stripe_event(f"evt_{n}", id=f"ch_{here.code}", metadata={"reference": f"D-{n:08}"})
        assert hooks.post(where, *hooks.stripe(event, at=clock.now())).status_code == 200
    first = Webhook.objects.filter(entity=here).order_by("id")[0]
    return Made(kwargs={"pk": first.pk}, words=(f"ch_{here.code}",))


@builds("set-up-webhooks")
def sources(here: LegalEntity, number: int) -> Made:
    return Made(kwargs={"pk": hooks.endpoint(code=here.code).connection_id}, words=(f"stripe-{here.code}",))
