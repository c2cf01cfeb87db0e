"""Doors that a process keeps: what changes anywhere counts from the next message on, and one statement is enough."""

from __future__ import annotations

import os
import socket
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from backoffice.kernel import clock
from integrations.models import Connection, Verdict, Webhook, WebhookEndpoint
from integrations.services import doors, endpoints, webhooks
from tests import builders, hooks
from tests.builders import ROBOT
from tests.hooks import AT

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    monkeypatch.setattr(doors, "_kept", {})
    with clock.at(AT):
        yield


def known(provider: str = "stripe", **options) -> WebhookEndpoint:
    """A door through which a message has come, so that this process keeps it."""
    where = hooks.endpoint(provider, **options)
    assert send(where, "evt_first") == 200
    assert doors.find(where.token).kept
    return where


def send(where: WebhookEndpoint, number: str, secret: str = hooks.SECRET, *, at=AT) -> int:
    return hooks.post(where, *hooks.stripe(hooks.stripe_event(number), secret=secret, at=at)).status_code


def roll(where: WebhookEndpoint, *, keep_old_hours: int = 0, **options) -> None:
    """What another process does: nothing here is told of it."""
    given = {"provider": "stripe", "settings": {}, "secret_values": {"secret": "newer"}, **options}
    endpoints.set_up(actor=ROBOT, connection_id=where.connection_id, keep_old_hours=keep_old_hours, **given)


def events(**filters) -> list[str]:
    return list(Webhook.objects.filter(**filters).order_by("id").values_list("event_id", flat=True))


def verified() -> list[str]:
    return events(verdict=Verdict.VERIFIED)


def test_one_statement_is_enough_where_the_door_is_known():
    where = known()

    with CaptureQueriesContext(connection) as queries:
        assert send(where, "evt_second") == 200

    assert len(queries) == 1, [query["sql"][:80] for query in queries]
    assert verified() == ["evt_first", "evt_second"]


def test_a_secret_that_was_rolled_counts_at_once_and_the_old_one_no_more():
    where = known()

    roll(where)

    assert send(where, "evt_old") == 401
    assert send(where, "evt_new", "newer") == 200
    assert verified() == ["evt_first", "evt_new"]
    assert Webhook.objects.get(event_id__startswith="sha256:").verdict == Verdict.MISMATCH


def test_the_new_secret_is_taken_by_a_process_that_has_not_heard_of_it():
    where = known()

    roll(where, keep_old_hours=24)

    assert [send(where, "evt_new", "newer"), send(where, "evt_old")] == [200, 200]
    assert Webhook.objects.exclude(verdict=Verdict.VERIFIED).count() == 0


def test_an_event_that_is_known_opens_no_door_to_the_old_secret():
    where = known()

    roll(where)

    assert send(where, "evt_first") == 401


@pytest.mark.django_db(transaction=True)
def test_a_secret_is_rolled_in_another_session_between_two_messages():
    where = known()

    def elsewhere() -> None:
        with clock.at(AT):
            roll(where)
        connections.close_all()

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()

    assert send(where, "evt_old") == 401
    assert send(where, "evt_new", "newer") == 200
    assert verified() == ["evt_first", "evt_new"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_secret_that_is_rolled_between_the_check_and_the_storing(monkeypatch, times):
    """The message fitted the door as it was a moment ago; the statement that stores it asks again."""
    where, judge = known(), webhooks.judge
    names = iter(["newer", "newest"][:times])

    def judged(**given):
        found = judge(**given)
        name = next(names, None)
        if name is not None:
            roll(where, secret_values={"secret": name})
        return found

    monkeypatch.setattr(webhooks, "judge", judged)

    assert send(where, "evt_late") == 401
    assert verified() == ["evt_first"]


def test_a_door_that_never_holds_still_asks_for_the_message_again(monkeypatch):
    where, judge = known(), webhooks.judge

    def judged(**given):
        found = judge(**given)
        WebhookEndpoint.objects.filter(pk=where.pk).update(previous_until=clock.now() + next(later))
        return found

    later = iter(timedelta(hours=hours) for hours in range(1, 100))
    monkeypatch.setattr(webhooks, "judge", judged)

    assert send(where, "evt_late") == 503
    assert verified() == ["evt_first"]


@pytest.mark.parametrize("what", [WebhookEndpoint, Connection])
@pytest.mark.parametrize("secret", [hooks.SECRET, "guessed"])
def test_a_door_that_was_closed_is_closed_at_once(what, secret):
    where = known()

    what.objects.update(is_active=False)

    assert send(where, "evt_after", secret) == 404
    assert events() == ["evt_first"]


def test_a_door_that_opens_again_is_found_again():
    where = known()
    WebhookEndpoint.objects.update(is_active=False)
    send(where, "evt_closed")
    WebhookEndpoint.objects.update(is_active=True)

    assert send(where, "evt_open") == 200


def test_what_comes_belongs_to_the_entity_that_has_the_connection_now():
    where = known()
    other = builders.entity("UK")

    Connection.objects.filter(pk=where.connection_id).update(entity=other)

    assert send(where, "evt_moved") == 200
    assert events(entity=other) == ["evt_moved"]
    assert events(entity=where.connection.entity_id) == ["evt_first"]


def test_another_provider_at_the_same_address_is_another_reader():
    where = known()

    roll(where, provider="checkout", secret_values={"secret": hooks.SECRET})

    assert send(where, "evt_stripe") == 401
    assert hooks.post(where, *hooks.checkout(hooks.checkout_event())).status_code == 200
    assert Webhook.objects.get(event_id="evt_c1").provider == "checkout"


def test_settings_that_were_changed_count_at_once():
    where = hooks.endpoint("coinspaid")
    body = b'{"id":%d,"type":"deposit","status":"confirmed"}'
    first = hooks.post(where, *hooks.coinspaid(body % 1)).status_code

    endpoints.set_up(
        actor=ROBOT, connection_id=where.connection_id, provider="coinspaid", settings={"key": "another"},
        secret_values={},
    )  # fmt: skip

    assert (first, hooks.post(where, *hooks.coinspaid(body % 2)).status_code) == (200, 401)


def test_the_time_of_the_old_secret_runs_out_in_a_door_that_is_kept():
    where = known()
    roll(where, keep_old_hours=1)
    assert send(where, "evt_within") == 200

    with clock.at(AT + timedelta(hours=1)):
        assert send(where, "evt_after", at=AT + timedelta(hours=1)) == 401
    WebhookEndpoint.objects.update(previous_until=AT - timedelta(seconds=1))

    assert send(where, "evt_shortened") == 401
    assert verified() == ["evt_first", "evt_within"]


def test_a_forged_message_at_a_known_door_is_kept_once_like_at_any():
    where = known()

    assert [send(where, "evt_forged", "guessed") for _ in range(2)] == [401, 401]
    assert Webhook.objects.filter(verdict=Verdict.MISMATCH).count() == 1


def test_one_door_knows_nothing_of_the_next():
    here = known()
    other = hooks.endpoint(code="UK", name="other", secret_values={"secret": "of the other"})

    assert send(other, "evt_1") == 401
    assert send(other, "evt_1", "of the other") == 200
    assert send(here, "evt_2", "of the other") == 401
    assert events(entity=other.connection.entity_id, verdict=Verdict.VERIFIED) == ["evt_1"]


def test_addresses_that_lead_nowhere_are_not_kept():
    for number in range(5):
        assert send(WebhookEndpoint(token=f"nowhere-{number}"), "evt_1") == 404

    assert doors._kept == {}


def test_only_so_many_doors_are_kept(monkeypatch):
    monkeypatch.setattr(doors, "KEPT_MAX", 2)
    places = [hooks.endpoint(name=f"psp {n}") for n in range(5)]

    for turn in range(2):
        assert [send(where, f"evt_{turn}") for where in places] == [200] * 5
        assert len(doors._kept) <= 2


def test_secrets_stand_in_no_trace_of_a_door():
    where = known()
    door = doors.find(where.token)

    assert hooks.SECRET in door.current.values()
    assert hooks.SECRET not in repr(door) and WebhookEndpoint.objects.get().secrets not in repr(door)
    incoming = webhooks.Incoming(*hooks.stripe(hooks.stripe_event()))
    assert hooks.SECRET not in repr(webhooks.judge(door=door, incoming=incoming, now=AT))


@pytest.mark.django_db(transaction=True)
def test_a_link_that_broke_is_made_anew_by_the_statement_that_stores():
    where = known()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
        link.shutdown(socket.SHUT_RDWR)

    assert send(where, "evt_after") == 200
    assert verified() == ["evt_first", "evt_after"]
