"""The door for webhooks: what is stored, what is answered, what is refused, and that nothing comes twice."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import threading
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock, jobs
from integrations import registry
from integrations.hints import PspEventKind
from integrations.models import Verdict, Webhook, WebhookEndpoint, WebhookOverflow
from integrations.selectors import verify
from integrations.selectors.events import events_after
from integrations.services import endpoints, webhooks
from tests import builders, hooks, pages
from tests.builders import ROBOT
from tests.hooks import AT
from tests.worlds import psp_line, world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon():
    with clock.at(AT):
        yield


def stored() -> list[tuple[str, str]]:
    return list(Webhook.objects.order_by("id").values_list("event_id", "verdict"))


def test_a_webhook_is_stored_as_it_came_and_answered():
    where = hooks.endpoint()
    body, headers = hooks.stripe(hooks.stripe_event())

    answer = hooks.post(where, body, {**headers, "authorization": "Bearer x", "cookie": "a=b"})

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    row = Webhook.objects.get()
    assert bytes(row.body) == body
    assert (row.event_id, row.verdict, row.kind) == ("evt_1", Verdict.VERIFIED, "PAYMENT_APPROVED")
    assert (row.amount, row.currency) == (Decimal("123.45"), "USD")
    assert (row.merchant_reference, row.psp_reference) == ("D-0000000B", "ch_1")
    assert row.headers["stripe-signature"] == headers["stripe-signature"]
    assert {row.headers["authorization"], row.headers["cookie"]} == {"(not kept)"}
    assert list(verify.findings()) == []


@pytest.mark.parametrize(
    ("provider", "message", "answer"),
    [
        ("adyen", hooks.adyen(hooks.adyen_item()), b"[accepted]"),
        ("checkout", hooks.checkout(hooks.checkout_event()), b"ok\n"),
        ("coinspaid", hooks.coinspaid(b'{"currency":"BTC","foreign_id":"123456"}'), b"ok\n"),
        ("nowpayments", hooks.nowpayments(), b"ok\n"),
    ],
)
def test_each_provider_hears_what_it_wants_to_hear_every_time(provider, message, answer):
    where = hooks.endpoint(provider)

    answers = [hooks.post(where, *message) for _ in range(3)]

    assert [(a.status_code, a.content) for a in answers] == [(200, answer)] * 3
    assert [verdict for _, verdict in stored()] == [Verdict.VERIFIED]


def test_two_statements_and_no_session_are_enough_at_a_door_that_is_not_known():
    where, client = hooks.endpoint(), Client()
    message = hooks.stripe(hooks.stripe_event())

    with CaptureQueriesContext(connection) as queries:
        answer = hooks.post(where, *message, client)

    assert len(queries) == 2, [query["sql"][:80] for query in queries]
    assert answer.cookies == {}


def test_a_webhook_needs_no_token_of_a_form():
    where = hooks.endpoint()

    answer = hooks.post(where, *hooks.stripe(hooks.stripe_event()), Client(enforce_csrf_checks=True))

    assert answer.status_code == 200


def test_no_other_view_goes_without_the_token_of_a_form():
    exempt = {found.route for found in pages.walk("backoffice.urls") if getattr(found.view, "csrf_exempt", False)}

    assert {route for route in exempt if not route.startswith("admin:")} == {"receive-webhook"}


@pytest.mark.parametrize("provider", ["stripe", "checkout", "adyen", "nowpayments", "coinspaid", "praxis", "generic"])
def test_who_has_not_signed_is_refused_and_kept_once(provider):
    where = hooks.endpoint(provider)
    body = (
        hooks.NOWPAYMENTS.encode()
        if provider != "adyen"
        else hooks.adyen({**hooks.adyen_item(), "additionalData": {}})[0]
    )
    refused = 200 if provider == "praxis" else 401  # Praxis reads the status of a signed answer

    answers = [hooks.post(where, body, {}) for _ in range(2)]

    assert [a.status_code for a in answers] == [refused] * 2
    if provider == "praxis":
        assert json.loads(answers[0].content)["status"] == 1
    (row,) = Webhook.objects.all()
    assert row.verdict == Verdict.UNSIGNED
    assert bytes(row.body) == body
    assert (row.kind, row.merchant_reference, row.amount) == ("OTHER", "", None)  # nothing of it is believed
    assert events_after(None, 0) == []


def test_a_forged_event_does_not_take_the_place_of_the_true_one():
    where = hooks.endpoint()
    body, headers = hooks.stripe(hooks.stripe_event())

    forged = hooks.post(where, body, hooks.stripe(body, secret="guessed")[1])
    true = hooks.post(where, body, headers)

    assert (forged.status_code, true.status_code) == (401, 200)
    assert [verdict for _, verdict in stored()] == [Verdict.MISMATCH, Verdict.VERIFIED]


@pytest.mark.parametrize("seconds", [-301, 301, 4000, -4000])
def test_a_message_that_was_overheard_and_comes_at_another_time(seconds):
    where = hooks.endpoint()

    answer = hooks.post(where, *hooks.stripe(hooks.stripe_event(), at=AT + timedelta(seconds=seconds)))

    assert answer.status_code == 401
    assert Webhook.objects.get().verdict == Verdict.OUT_OF_WINDOW


def test_a_replay_within_the_window_adds_nothing():
    where = hooks.endpoint()
    message = hooks.stripe(hooks.stripe_event())

    answers = {hooks.post(where, *message).status_code for _ in range(100)}

    assert answers == {200}
    assert len(stored()) == 1


def test_the_same_event_signed_anew_adds_nothing_and_other_content_is_shown_to_people():
    where = hooks.endpoint()
    hooks.post(where, *hooks.stripe(hooks.stripe_event()))

    again = hooks.post(where, *hooks.stripe(hooks.stripe_event().replace(b"{", b'{"pending_webhooks": 2,', 1)))
    other = hooks.post(where, *hooks.stripe(hooks.stripe_event().replace(b"12345", b"99999")))

    assert (again.status_code, other.status_code) == (200, 200)
    assert [verdict for _, verdict in stored()] == [Verdict.VERIFIED, Verdict.DIFFERS]
    assert [str(r.event.amount) for r in events_after(None, 0)] == ["123.45"]


def test_every_item_of_a_batch_is_an_event_and_none_comes_twice():
    where = hooks.endpoint("adyen")
    one, two, three = (hooks.adyen_item(pspReference=f"ref-{n}") for n in range(3))

    hooks.post(where, *hooks.adyen(one, two))
    answer = hooks.post(where, *hooks.adyen(two, three))

    assert answer.content == b"[accepted]"
    assert [(r.event.psp_reference, r.event.kind) for r in events_after(None, 0)] == [
        (f"ref-{n}", PspEventKind.PAYMENT_APPROVED) for n in range(3)
    ]


def test_one_bad_item_refuses_the_batch():
    where = hooks.endpoint("adyen")
    bad = {**hooks.adyen_item(), "pspReference": "other"}

    answer = hooks.post(where, *hooks.adyen(hooks.adyen_item(), bad))

    assert answer.status_code == 401
    assert [verdict for _, verdict in stored()] == [Verdict.MISMATCH]


def test_events_come_in_the_order_in_which_they_came_and_a_cursor_goes_on():
    where, other = hooks.endpoint(), hooks.endpoint("checkout", code="UK")
    hooks.post(where, *hooks.stripe(hooks.stripe_event("evt_2", "charge.refunded")))
    hooks.post(other, *hooks.checkout(hooks.checkout_event()))
    hooks.post(where, *hooks.stripe(hooks.stripe_event("evt_1")))

    first = events_after(None, 0, limit=2)
    rest = events_after(None, first[-1].id)
    mine = events_after(where.connection_id, 0)

    assert [r.event.event_id for r in (*first, *rest)] == ["evt_2", "evt_c1", "evt_1"]
    assert [r.event.event_id for r in mine] == ["evt_2", "evt_1"]
    assert {r.entity_id for r in mine} == {where.connection.entity_id}


def test_old_and_new_secret_count_while_one_is_rolled():
    where = hooks.endpoint()
    old, new = hooks.stripe(hooks.stripe_event("evt_old")), hooks.stripe(hooks.stripe_event("evt_new"), secret="newer")

    rolled = endpoints.set_up(
        actor=ROBOT,
        connection_id=where.connection_id,
        provider="stripe",
        settings={},
        secret_values={"secret": "newer"},
    )
    during = [hooks.post(rolled, *message).status_code for message in (old, new)]
    with clock.at(AT + timedelta(hours=25)):
        late = AT + timedelta(hours=25)
        after = [
            hooks.post(rolled, *hooks.stripe(hooks.stripe_event(f"evt_{n}"), at=late, secret=secret)).status_code
            for n, secret in enumerate((hooks.SECRET, "newer"))
        ]

    assert rolled.token == where.token
    assert (during, after) == ([200, 200], [401, 200])


def test_the_old_secret_can_be_ended_at_once():
    where = hooks.endpoint()
    given = {"actor": ROBOT, "connection_id": where.connection_id, "provider": "stripe", "settings": {}}
    endpoints.set_up(**given, secret_values={"secret": "newer"})

    endpoints.set_up(**given, secret_values={}, keep_old_hours=0)

    assert hooks.post(where, *hooks.stripe(hooks.stripe_event())).status_code == 401
    assert hooks.post(where, *hooks.stripe(hooks.stripe_event(), secret="newer")).status_code == 200


def test_secrets_are_encrypted_and_in_no_entry_of_the_log():
    where = hooks.endpoint(secret_values={"secret": "whsec_very_secret"})

    assert "whsec_very_secret" not in WebhookEndpoint.objects.get().secrets
    assert "whsec_very_secret" not in "".join(str(row.data) for row in Entry.objects.all())
    assert WebhookEndpoint.objects.get() == where


@pytest.mark.parametrize(
    ("provider", "options", "why"),
    [
        ("stripe", {"secret_values": {}}, "Signing secret is needed"),
        ("stripe", {"secret_values": {"secret": "  "}}, "Signing secret is needed"),
        ("adyen", {"secret_values": {"secret": "no hex"}}, "64 hexadecimal digits"),
        ("adyen", {"secret_values": {"secret": "ab"}}, "64 hexadecimal digits"),
        ("stripe", {"settings": {"colour": "red"}}, "no setting colour"),
        ("unheard", {}, "no webhooks of 'unheard'"),
    ],
)
def test_what_cannot_be_right_is_said_when_it_is_set_up(provider, options, why):
    with pytest.raises(endpoints.BadEndpoint, match=why):
        hooks.endpoint(provider, **options)


def test_only_active_connections_have_an_address():
    where = hooks.endpoint()
    message = hooks.stripe(hooks.stripe_event())
    WebhookEndpoint.objects.update(is_active=False)
    closed = hooks.post(where, *message).status_code
    WebhookEndpoint.objects.update(is_active=True)
    where.connection.is_active = False
    where.connection.save()

    assert (closed, hooks.post(where, *message).status_code) == (404, 404)
    assert hooks.post(WebhookEndpoint(token="x" * 43), *message).status_code == 404
    assert stored() == []


def test_the_content_type_says_nothing():
    where = hooks.endpoint()
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "")

    answers = [
        hooks.post(where, *hooks.stripe(hooks.stripe_event(f"evt_{n}")), content_type=kind).status_code
        for n, kind in enumerate(kinds)
    ]

    assert answers == [200] * 4


def test_a_body_without_a_length_or_with_a_huge_one_is_not_read():
    where = hooks.endpoint()

    class Unread(BytesIO):
        def read(self, *args):
            raise AssertionError("nothing of it may be read")

    def ask(**environment):
        request = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/hooks/{where.token}/", "wsgi.input": Unread()}
        return Client().request(**request, **environment).status_code

    assert ask(CONTENT_LENGTH=str(webhooks.SIZE_LIMIT + 1)) == 413
    assert ask(CONTENT_LENGTH="9" * 30) == 413
    assert ask(CONTENT_LENGTH="") == 411
    assert ask(CONTENT_LENGTH="-1") == 411
    assert stored() == []


def test_a_body_that_ends_early_is_not_taken_for_one():
    where = hooks.endpoint()
    request = {"REQUEST_METHOD": "POST", "PATH_INFO": f"/hooks/{where.token}/", "CONTENT_TYPE": "application/json"}

    class Cut(BytesIO):
        def read(self, *args):
            raise OSError("connection reset")

    assert Client().request(**request, **{"CONTENT_LENGTH": "20", "wsgi.input": Cut(b"{}")}).status_code == 400
    assert Client().request(**request, **{"CONTENT_LENGTH": "20", "wsgi.input": BytesIO(b"{}")}).status_code == 400
    assert stored() == []


def test_the_largest_body_is_taken():
    where = hooks.endpoint("generic")
    body = b'{"id":"big","x":"' + b"a" * (webhooks.SIZE_LIMIT - 19) + b'"}'
    headers = {"x-signature": hooks.mac(hooks.SECRET.encode(), body)}

    assert len(body) == webhooks.SIZE_LIMIT
    assert hooks.post(where, body, headers).status_code == 200
    assert hooks.post(where, body + b" ", headers).status_code == 413


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b'{"id":"e"}', mtime=0), b'{"id":"\xff"}', b'{"id":"a","id":"b"}', b"\x00\x01", b"not json"],
    ids=["gzip", "not UTF-8", "doubled key", "binary", "no JSON"],
)
def test_what_was_signed_and_cannot_be_read_is_kept_and_taken(body):
    """Sent again it would be no more readable; a person sees it on the page."""
    where = hooks.endpoint("checkout")

    answer = hooks.post(where, *hooks.checkout(body))

    row = Webhook.objects.get()
    assert (answer.status_code, row.verdict, bytes(row.body)) == (200, Verdict.UNREADABLE, body)
    assert row.why
    assert events_after(None, 0) == []


def test_texts_that_no_column_can_hold_are_kept_in_the_bytes():
    where = hooks.endpoint("generic")
    body = b'{"id":"e\\u0000\\ud800","reference":"' + b"r" * 5000 + b'","status":"\\u001f"}'

    answer = hooks.post(where, body, {"x-signature": hooks.mac(hooks.SECRET.encode(), body), "x-more": "\x01" * 5000})

    assert answer.status_code == 200
    row = Webhook.objects.get()
    assert bytes(row.body) == body
    assert row.event_id == "e\ufffd\ufffd"
    assert len(row.merchant_reference) == 500


def test_a_long_identity_is_kept_by_its_hash():
    where = hooks.endpoint("generic")
    for name in ("a", "b", "a"):
        body = json.dumps({"id": name * 10_000}).encode()
        hooks.post(where, body, {"x-signature": hooks.mac(hooks.SECRET.encode(), body)})

    assert len(stored()) == 2


def test_refused_ones_are_measured_by_the_hour_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(webhooks, "REFUSED_PER_HOUR", 5)
    where, other = hooks.endpoint(), hooks.endpoint("checkout")

    answers = {hooks.post(where, f'{{"n":{n}}}'.encode(), {}).status_code for n in range(12)}
    hooks.post(other, b"{}", {})
    true = hooks.post(where, *hooks.stripe(hooks.stripe_event()))

    assert answers == {401}
    assert Webhook.objects.filter(connection=where.connection).exclude(verdict=Verdict.VERIFIED).count() == 5
    assert WebhookOverflow.objects.values_list("dropped", "bytes").get() == (7, 5 * 7 + 2 * 8)
    assert Webhook.objects.filter(connection=other.connection).count() == 1
    assert true.status_code == 200
    with clock.at(AT + timedelta(hours=1, seconds=1)):
        hooks.post(where, b'{"n":"later"}', {})
    assert Webhook.objects.filter(connection=where.connection, verdict=Verdict.UNSIGNED).count() == 6


def test_refused_ones_are_measured_in_bytes_as_well(monkeypatch):
    monkeypatch.setattr(webhooks, "REFUSED_BYTES_PER_HOUR", 1000)
    where = hooks.endpoint()

    for n in range(5):
        hooks.post(where, f"{n}".encode() * 400, {})

    assert len(stored()) == 2
    assert WebhookOverflow.objects.get().bytes == 1200


def test_signed_ones_that_cannot_be_read_are_asked_for_again_when_there_is_no_room(monkeypatch):
    monkeypatch.setattr(webhooks, "REFUSED_PER_HOUR", 0)

    assert hooks.post(hooks.endpoint("checkout"), *hooks.checkout(b"not json")).status_code == 503


def test_praxis_may_be_told_that_a_charge_must_not_go_on(monkeypatch):
    where = hooks.endpoint("praxis")
    message = hooks.praxis("transaction_attempt")
    seen = []
    monkeypatch.setattr(registry, "_objections", [lambda at, event: seen.append((at, event)) or "client is blocked"])

    answer = json.loads(hooks.post(where, *message).content)
    monkeypatch.setattr(registry, "_objections", [])
    free = json.loads(hooks.post(where, *message).content)

    assert (answer["status"], answer["description"]) == (1, "client is blocked")
    assert free["status"] == 0
    assert (seen[0][0], seen[0][1].merchant_reference) == (where.connection_id, "D-0000000D")


def test_readers_are_woken_once_a_webhook_is_stored_and_not_by_duplicates(monkeypatch):
    woken = []
    monkeypatch.setattr(jobs, "after_a_while", lambda task, seconds: woken.append((task, Webhook.objects.count())))
    monkeypatch.setattr(registry, "_readers_of_webhooks", ["integrations.sweep"])
    monkeypatch.setattr(webhooks, "_woken", {"at": -100.0})
    where = hooks.endpoint()

    for number in ("evt_1", "evt_2", "evt_3"):
        hooks.post(where, *hooks.stripe(hooks.stripe_event(number)))
    monkeypatch.setattr(webhooks, "_woken", {"at": -100.0})
    hooks.post(where, *hooks.stripe(hooks.stripe_event("evt_1")))

    assert woken == [("integrations.sweep", 1)]


@pytest.mark.django_db(transaction=True)
def test_what_comes_while_a_wake_up_is_under_way_is_heard_with_it(monkeypatch):
    """The wake-up is sent when the time is over in which no other begins, and not by the request."""
    begun, sent, moment = [], [], iter((100.0, 100.1, 100.499, 100.5))

    class Timer:
        def __init__(self, seconds, wake, given):
            self.seconds, self.due = seconds, lambda: wake(*given)

        def start(self):
            begun.append(self)

    monkeypatch.setattr(jobs, "wake", lambda task: sent.append((task, Webhook.objects.count())))
    monkeypatch.setattr(jobs, "threading", SimpleNamespace(Timer=Timer))
    monkeypatch.setattr(webhooks, "time", SimpleNamespace(monotonic=lambda: next(moment)))
    monkeypatch.setattr(webhooks, "_woken", {"at": 0.0})
    where = hooks.endpoint()

    for number in range(3):
        hooks.post(where, *hooks.stripe(hooks.stripe_event(f"evt_{number}")))
    assert ([timer.seconds for timer in begun], sent) == ([0.5, 0.5], [])
    for timer in begun:
        timer.due()
    hooks.post(where, *hooks.stripe(hooks.stripe_event("evt_3")))

    readers = ("payments.read_events", "payments.read_disputes")
    assert registry.readers_of_webhooks() == readers
    assert sent == [(task, 3) for task in readers]
    assert len(begun) == 4


def test_rows_are_for_ever(owner):
    with connection.cursor() as cursor, pytest.raises(Exception, match="permission denied"):
        cursor.execute("DELETE FROM integrations_webhook")


def test_the_page_of_a_webhook_shows_the_line_it_agrees_with():
    w = world()
    line = psp_line("ch_1", "123.45", reference="D-0000000B")
    w.put(w.psp, line, psp_line("ch_2", "1.00", reference="D-0000000B"))
    where = hooks.endpoint()
    hooks.post(where, *hooks.stripe(hooks.stripe_event()))
    user = builders.user(
        "ada", "integrations.view_webhook", "integrations.view_pspline", entities=(where.connection.entity,)
    )
    client = Client()
    client.force_login(user)

    html = client.get(reverse("webhook", args=[Webhook.objects.get().pk])).content.decode()
    listed = client.get(reverse("webhooks"), {"search": "D-0000000B", "verdict": "VERIFIED"}).content.decode()
    missed = client.get(reverse("webhooks"), {"search": "D-0000000X"}).content.decode()

    assert len(re.findall(r"psp-lines/\d", html)) == 2
    assert (">agrees<" in html, ">differs<" in html) == (True, True)
    assert "payment approved" in html
    assert "D-0000000B" in listed
    assert "No webhooks fit" in missed


def test_webhooks_are_set_up_on_the_page_and_the_secret_is_not_shown():
    where = hooks.endpoint()
    person = builders.user(
        "sam", "integrations.change_connection", "integrations.view_connection", entities=(where.connection.entity,)
    )
    client = Client()
    client.force_login(person)
    page = reverse("set-up-webhooks", args=[where.connection_id])

    answer = client.post(page, {"setting_secret": "brand new", "keep_old_hours": "24", "is_active": "on"}, follow=True)
    html = answer.content.decode()

    assert answer.redirect_chain == [(reverse("connection", args=[where.connection_id]), 303)]
    assert where.token in html
    assert "brand new" not in html
    assert hooks.post(where, *hooks.stripe(hooks.stripe_event(), secret="brand new")).status_code == 200
    assert client.post(f"{page}?provider=adyen", {"setting_secret": "short", "keep_old_hours": "0"}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_row():
    where = hooks.endpoint()
    message = hooks.stripe(hooks.stripe_event())
    answers, ready = [], threading.Barrier(8)

    def send() -> None:
        with clock.at(AT):
            ready.wait()
            answers.extend(hooks.post(where, *message).status_code for _ in range(5))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 40
    assert len(stored()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_reader_never_passes_a_webhook_that_is_still_being_written():
    """One writer has its id and has not committed; a later one has. The reader waits for both rather than to go on
    from the later id and never see the earlier."""
    where = hooks.endpoint()
    late = hooks.stripe(hooks.stripe_event("evt_late"))
    inserted, may_commit, seen = threading.Event(), threading.Event(), []

    def write_slowly() -> None:
        with clock.at(AT), transaction.atomic():
            hooks.post(where, *late)
            inserted.set()
            may_commit.wait(30)
        connections.close_all()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    inserted.wait(30)
    hooks.post(where, *hooks.stripe(hooks.stripe_event("evt_quick")))
    seen.append([r.event.event_id for r in events_after(None, 0)])
    may_commit.set()
    writer.join()
    seen.append([r.event.event_id for r in events_after(None, 0)])

    assert seen == [[], ["evt_late", "evt_quick"]]


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_between_storing_and_answering_loses_nothing():
    where = hooks.endpoint()
    message = hooks.stripe(hooks.stripe_event(), at=clock.now())
    program = (
        "import os, sys, django; django.setup()\n"
        "from integrations.services import webhooks\n"
        "webhooks._wake = lambda: os._exit(137)\n"
        "from datetime import datetime\n"
        "from backoffice.kernel import clock\n"
        "from django.test import Client\n"
        "with clock.at(datetime.fromisoformat(sys.argv[3])):\n"
        "    Client(SERVER_NAME='localhost').post(sys.argv[1], data=sys.stdin.buffer.read(),"
        " content_type='application/json', headers={'stripe-signature': sys.argv[2]})\n"
    )
    here = re.sub(r"/[^/?]*(\?|$)", rf"/{connection.settings_dict['NAME']}\1", os.environ["DATABASE_URL"], count=1)
    environment = {**os.environ, "DATABASE_URL": here, "DJANGO_SETTINGS_MODULE": "backoffice.settings.test"}
    arguments = [f"/hooks/{where.token}/", message[1]["stripe-signature"], clock.now().isoformat()]

    killed = subprocess.run(
        [sys.executable, "-c", program, *arguments], input=message[0], env=environment, cwd=settings.BASE, check=False
    )
    after = stored()
    again = hooks.post(where, *message)

    assert killed.returncode == 137
    assert after == [("evt_1", Verdict.VERIFIED)]
    assert again.status_code == 200
    assert stored() == after
    assert [r.event.event_id for r in events_after(None, 0)] == ["evt_1"]


@pytest.mark.django_db(transaction=True)
def test_a_link_to_the_database_that_broke_while_nobody_used_it_is_made_anew():
    where = hooks.endpoint()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
        link.shutdown(socket.SHUT_RDWR)

    answer = hooks.post(where, *hooks.stripe(hooks.stripe_event()))

    assert answer.status_code == 200
    assert stored() == [("evt_1", Verdict.VERIFIED)]
