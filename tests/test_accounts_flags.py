"""Flags that must not be seen: every page, list, filter, export and error text, for every role, byte by byte, with a
client under an AML hold and with the same client under an ordinary review."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import actions
from accounts.actions import EndFlag, Step
from accounts.models import NEUTRAL, ConsentStep, Flag, FlagKind, Reason, Restriction, What
from accounts.models.flags import RULES
from accounts.selectors import visible
from accounts.services import closing, flags, papers, restrictions, timers
from accounts.services.flags import MlroNeeded
from accounts.services.locked import OwnStep
from accounts.services.restrictions import Restricted, UnderReview
from backoffice.approvals.models import Request, State
from backoffice.approvals.services.refusals import Excluded
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.organisation.models import Holiday, User
from tests import pages
from tests.builders import ROBOT
from tests.clients import STAFF, Floor, floor

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
TELLING = ("AML", "hold", "money laund", "suspicio", "SAR")
COMPLIANCE = {"carl", "cora", "mona"}
# One of each role that may not know, in the entity of the client.
OTHERS = [name for name in STAFF if name not in COMPLIANCE]


@pytest.fixture
def f() -> Iterator[Floor]:
    with clock.at(NOW):
        yield floor()


def browser_of(name: str) -> Browser:
    found = Browser()
    found.force_login(User.objects.get(username=name))
    return found


def addresses(f: Floor, request: Request) -> list[str]:
    """Every GET route of the product, those with arguments once for the client's rows and once for nothing."""
    flag = Flag.objects.order_by("-pk").first()
    assert flag is not None
    keys = {
        "client": f.client.pk,
        "request": request.pk,
        "trading-account": f.logins[0].pk,
        "change-terms": f.logins[0].pk,
        "end-flag": flag.pk,
        "note-consent": flag.pk,
    }
    found = []
    for route in pages.walk("backoffice.urls"):
        if route.route.startswith(("sign-", "admin:", "healthz")) or "request" in route.route:
            continue
        arguments = dict(route.arguments)
        if "pk" in arguments:
            arguments["pk"] = keys.get(route.route, f.client.pk)
        found.append(reverse(route.route, kwargs=arguments))
    found += [reverse("request", args=[request.pk]), reverse("requests")]
    codes = [*FlagKind, "ENHANCED", "nonsense"]
    found += [f"{reverse('clients')}?flags={code}" for code in codes]
    found += [f"{reverse('clients')}?export=csv", f"{reverse('clients')}?flags=OPERATIONAL_REVIEW&export=csv"]
    found += [f"{reverse('clients')}?name=Ada", f"{reverse('trading-accounts')}?export=csv"]
    return sorted(set(found))


def plain(answer) -> bytes:
    """An answer without what differs by itself: tokens of forms, the request's own number, and the moments that
    PostgreSQL's clock, which no test sets, writes into the log of changes."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    body = re.sub(rb"[0-9a-f]{32}|[A-Za-z0-9]{64}", b"", body)
    if answer.wsgi_request.path.startswith("/audit/changes"):
        body = re.sub(rb"\d\d:\d\d:\d\d(\.\d+)?", b"", body)
    kept = {
        k: v for k, v in answer.headers.items() if k not in ("X-Request-Id", "Set-Cookie", "Content-Security-Policy")
    }
    return b"%d %s %s" % (answer.status_code, repr(sorted(kept.items())).encode(), body)


@contextmanager
def undone(owner) -> Iterator[None]:
    """A world that leaves nothing behind, not even used numbers."""
    owner.execute("SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'")
    before = owner.fetchall()
    place = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(place)
        for schema, name, last in before:
            owner.execute("SELECT setval(%s::regclass, %s, %s)", [f'"{schema}"."{name}"', last or 1, last is not None])


def watched(f: Floor, kind: str, people: dict[str, Browser]) -> tuple[dict, dict]:
    """All that everybody gets to see of the world with this flag: bytes and numbers of queries."""
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=kind, note="an informer has called")
    papers.add_note(actor=f.carl, client_id=f.client.pk, text="an AML matter", confidential=True)
    if kind == FlagKind.AML_HOLD:
        flags.ask_consent(actor=f.mona, flag_id=flag.pk, on=NOW.date())
    else:
        papers.add_note(actor=f.mona, client_id=f.client.pk, text="called the client", confidential=True)
    pending = f.ask(f.cora, actions.END_REVIEW, EndFlag(flag.pk))
    seen, cost = {}, {}
    for name, browser in people.items():
        for address in addresses(f, pending):
            with CaptureQueriesContext(connection) as queries:
                seen[name, address] = plain(browser.get(address))
            cost[name, address] = len(queries)
    for name, address, data in (
        ("fred", reverse("close-client", args=[f.client.pk]), {"code": "COMPLETED", "reason": "over"}),
        ("sue", reverse("wake-client", args=[f.client.pk]), {"code": "CLEARED", "reason": "awake"}),
        ("dana", reverse("set-flag", args=[f.client.pk]), {"kind": "AML_HOLD", "note": ""}),
        ("dana", reverse("end-flag", args=[flag.pk]), {"note": "x"}),
        ("sue", reverse("client", args=[f.client.pk]), {}),
    ):
        seen[name, f"POST {address}"] = plain(people[name].post(address, data))
    for what in What:
        try:
            restrictions.require_may(client_id=f.client.pk, what=what)
        except Restricted as error:
            seen["error", what] = str(error).encode()
    return seen, cost


@pytest.mark.slow
def test_nobody_outside_compliance_can_tell_a_hold_from_a_review(f, owner, capsys):
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()
    people = {name: browser_of(name) for name in OTHERS}
    for browser in people.values():
        browser.get(reverse("client", args=[f.client.pk]))  # what is read once per process
    with undone(owner):
        held, cost_held = watched(f, FlagKind.AML_HOLD, people)
    with undone(owner):
        reviewed, cost_reviewed = watched(f, FlagKind.OPERATIONAL_REVIEW, people)

    assert held.keys() == reviewed.keys()
    assert [key for key in held if held[key] != reviewed[key]] == []
    assert [key for key in cost_held if cost_held[key] != cost_reviewed[key]] == []
    with capsys.disabled():
        sys.stdout.write(f"\n{len(held)} answers for {len(people)} people compared\n")
    shown = [key for key, body in held.items() if NEUTRAL.encode() in body]
    assert {"sue", "ian", "fiona", "ada"} <= {name for name, _ in shown}
    telling = [
        (key, word)
        for key, body in held.items()
        for word in (b"AML hold", b"informer", b"AML matter", b"AML_HOLD")
        if word in body and not _asked_for_it(key)
    ]
    assert telling == []


def _asked_for_it(key: tuple[str, str]) -> bool:
    """What the reader wrote comes back in the filter bar; the words of a form's own choices are everybody's; the
    matrix of roles names the duty."""
    return "flags=AML_HOLD" in key[1] or key[1].startswith("POST") or key[1].startswith("/access/")


def test_the_comparison_would_notice(f, owner):
    """Compliance sees the difference on the same pages."""
    people = {"carl": browser_of("carl")}
    address = reverse("client", args=[f.client.pk])
    seen = {}
    for kind in (FlagKind.AML_HOLD, FlagKind.OPERATIONAL_REVIEW):
        with undone(owner):
            flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=kind, note="an informer has called")
            seen[kind] = plain(people["carl"].get(address))
    assert seen[FlagKind.AML_HOLD] != seen[FlagKind.OPERATIONAL_REVIEW]
    assert b"AML hold" in seen[FlagKind.AML_HOLD]
    assert b"informer" in seen[FlagKind.AML_HOLD]


def test_two_reviews_read_like_one(f):
    """Beside a hold, an ordinary review shows nothing more, in the list or on the page."""
    sue = browser_of("sue")
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.OPERATIONAL_REVIEW)
    one = [plain(sue.get(reverse("clients"))), visible.flags_of(User.objects.get(username="sue"), f.client)]
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    assert [plain(sue.get(reverse("clients"))), visible.flags_of(User.objects.get(username="sue"), f.client)] == one


def test_the_log_never_names_a_kind(f):
    for kind in (FlagKind.AML_HOLD, FlagKind.PEP, FlagKind.DECEASED, FlagKind.STAFF):
        flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=kind, note="an informer has called")
    flag = Flag.objects.get(kind=FlagKind.AML_HOLD)
    flags.ask_consent(actor=f.carl, flag_id=flag.pk, on=NOW.date())
    said = " ".join(f"{row.action} {row.target} {row.data}" for row in Entry.objects.all())
    assert not [word for word in (*TELLING, "PEP", "DECEASED", "STAFF", "informer", "consent") if word in said]
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(to_jsonb(c)::text, ' '), '') FROM audit_change c")
        (changes,) = cursor.fetchone()
    assert not [word for word in ("AML", "informer", "consent", "DECEASED") if word in changes]


# Who sees, sets and ends what: domain, section 5.4.

SEES = {
    FlagKind.AML_HOLD: COMPLIANCE,
    FlagKind.OPERATIONAL_REVIEW: COMPLIANCE,
    FlagKind.PEP: COMPLIANCE | {"mia", "ada"},
    FlagKind.VULNERABLE: COMPLIANCE | {"sue", "dana"},
    FlagKind.CHARGEBACK_RISK: COMPLIANCE | {"pat", "fred", "fiona"},
    FlagKind.TOXIC: COMPLIANCE | {"dana", "mia", "ada"},
    FlagKind.PAYEE_CHANGED: {"fred", "fiona", "pat"},
    FlagKind.DOCUMENT_EXPIRED: set(STAFF),
    FlagKind.DECEASED: COMPLIANCE | {"fred", "fiona"},
    FlagKind.STAFF: COMPLIANCE | {"ada"},
}
SETS = {
    FlagKind.AML_HOLD: COMPLIANCE,
    FlagKind.OPERATIONAL_REVIEW: COMPLIANCE,
    FlagKind.PEP: COMPLIANCE,
    FlagKind.VULNERABLE: COMPLIANCE | {"sue"},
    FlagKind.CHARGEBACK_RISK: {"pat"},
    FlagKind.TOXIC: {"dana"},
    FlagKind.PAYEE_CHANGED: set(),
    FlagKind.DOCUMENT_EXPIRED: set(),
    FlagKind.DECEASED: COMPLIANCE,
    FlagKind.STAFF: COMPLIANCE,
}
INSTEAD = {FlagKind.AML_HOLD: NEUTRAL, FlagKind.OPERATIONAL_REVIEW: NEUTRAL, FlagKind.PEP: "enhanced checks"}


@pytest.mark.parametrize("kind", list(FlagKind))
def test_who_sees_a_flag_and_what_the_others_see(f, kind):
    flags.set_flag(actor=ROBOT, client_id=f.client.pk, kind=kind, note="why")
    for name in STAFF:
        user = User.objects.get(username=name)
        shown = visible.flags_of(user, f.client)
        if name in SEES[kind]:
            assert [item.words for item in shown] == [kind.label], name
            assert shown[0].note == ("" if (kind, name) == (FlagKind.VULNERABLE, "dana") else "why")
        else:
            assert [item.words for item in shown] == ([INSTEAD[kind]] if kind in INSTEAD else []), name
            assert [item.flag for item in shown] == [None] * len(shown)


@pytest.mark.parametrize("kind", list(FlagKind))
def test_who_sets_a_flag(f, kind):
    may = set()
    for name in STAFF:
        try:
            with transaction.atomic():
                flags.set_flag(actor=f.people[name], client_id=f.client.pk, kind=kind)
                transaction.set_rollback(True)
            may.add(name)
        except (NotPermitted, DomainError):
            pass
    assert may == SETS[kind]


def test_a_toxic_client_does_not_show_in_the_timeline_of_support(f):
    flags.set_flag(actor=f.dana, client_id=f.client.pk, kind=FlagKind.TOXIC)
    address = reverse("client", args=[f.client.pk])
    assert b"toxic" in browser_of("dana").get(address).content
    assert b"toxic" not in browser_of("sue").get(address).content.lower()
    assert b"marked" not in browser_of("sue").get(address).content


# J10: an AML hold and its end.


def test_j10_hold_without_tipping_off(f):
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()
    asked = f.ask(f.fred, actions.CLOSE, Step(f.client.pk, Reason.COMPLETED))
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)

    for what in (What.WITHDRAWAL, What.TRANSFER):
        with pytest.raises(Restricted, match=NEUTRAL):
            restrictions.require_may(client_id=f.client.pk, what=what)
    page = browser_of("fiona").get(reverse("request", args=[asked.pk])).content.decode()
    assert NEUTRAL in page
    with pytest.raises(DomainError, match=NEUTRAL):
        f.agree(f.fiona, asked)
    with pytest.raises(OwnStep):
        f.ask(f.carl, actions.END_REVIEW, EndFlag(flag.pk))
    with pytest.raises(NotPermitted):
        f.ask(f.sue, actions.END_REVIEW, EndFlag(flag.pk))
    request = f.ask(f.cora, actions.END_REVIEW, EndFlag(flag.pk))
    with pytest.raises((OwnStep, Excluded)):
        f.agree(f.carl, request)
    assert f.agree(f.mona, request).state == State.EXECUTED
    assert restrictions.require_may(client_id=f.client.pk, what=What.WITHDRAWAL)
    assert f.agree(f.fiona, asked).state == State.EXECUTED


def test_a_hold_is_not_released_without_the_mlro(f):
    from tests.clients import member

    clara = member("clara", "CMP")
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    request = f.ask(f.cora, actions.END_REVIEW, EndFlag(flag.pk))
    with pytest.raises(MlroNeeded):
        f.agree(clara, request)
    review = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.OPERATIONAL_REVIEW)
    assert f.both(f.cora, clara, actions.END_REVIEW, EndFlag(review.pk)).state == State.EXECUTED
    assert f.agree(f.mona, request).state == State.EXECUTED


def test_reactivation_waits_for_the_end_of_a_hold(f):
    from accounts.services import protective

    protective.put_under_review(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    with pytest.raises(UnderReview, match=NEUTRAL):
        f.ask(f.cora, actions.REACTIVATE, Step(f.client.pk, Reason.CLEARED))


@pytest.mark.parametrize(
    ("kind", "setter", "asker", "decider"),
    [
        (FlagKind.PEP, "carl", "cora", "mona"),
        (FlagKind.TOXIC, "dana", "diego", "mia"),
        (FlagKind.CHARGEBACK_RISK, "pat", "petra", "fiona"),
        (FlagKind.DECEASED, "carl", "cora", "mia"),
    ],
)
def test_flags_that_two_people_end(f, kind, setter, asker, decider):
    from tests.clients import member

    f.people |= {"diego": member("diego", "DLR"), "petra": member("petra", "PAY")}
    flag = flags.set_flag(actor=f.people[setter], client_id=f.client.pk, kind=kind)
    with pytest.raises(DomainError, match="Two people"):
        flags.end_flag(actor=f.people[asker], flag_id=flag.pk)
    request = f.ask(f.people[asker], actions.END_FLAG[kind], EndFlag(flag.pk))
    assert f.agree(f.people[decider], request).state == State.EXECUTED
    assert browser_of("sue").get(reverse("request", args=[request.pk])).status_code == 404


def test_who_has_died_is_frozen(f):
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.DECEASED)
    assert Restriction.objects.get(lifted_at=None).kind == "FREEZE"
    assert f.state().trading is False


def test_one_person_ends_what_one_may(f):
    flag = flags.set_flag(actor=f.sue, client_id=f.client.pk, kind=FlagKind.VULNERABLE)
    with pytest.raises(NotPermitted):
        flags.end_flag(actor=f.sue, flag_id=flag.pk)
    flags.end_flag(actor=f.carl, flag_id=flag.pk)
    flag.refresh_from_db()
    assert flag.ended_at == NOW
    with pytest.raises(DomainError, match="ended already"):
        flags.end_flag(actor=f.carl, flag_id=flag.pk)


# Deadlines.


def test_seven_working_days_then_thirty_one(f):
    Holiday.objects.create(calendar=f.here.calendar, date=date(2026, 11, 26), name="a holiday")
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    asked = flags.ask_consent(actor=f.mona, flag_id=flag.pk, on=NOW.date())
    # Wednesday the 18th: 19, 20, 23, 24, 25, (26 is a holiday), 27, 30.
    assert asked.deadline_date == date(2026, 11, 30)
    assert timers.watch_consents() == 0
    with clock.at(NOW + timedelta(days=8)):
        refused = flags.record_answer(actor=f.mona, flag_id=flag.pk, granted=False, on=date(2026, 11, 26))
    assert refused.deadline_date == date(2026, 12, 26)  # the 31st day, the day of the notice included
    with clock.at(datetime(2026, 12, 26, 23, tzinfo=UTC)):
        assert timers.watch_consents() == 0
    with clock.at(datetime(2026, 12, 27, 1, tzinfo=UTC)):
        assert timers.watch_consents() == 1
        assert timers.watch_consents() == 0
    assert [step.kind for step in flag.consent_steps.order_by("pk")] == ["ASKED", "REFUSED", "OVER"]
    flag.refresh_from_db()
    assert flag.ended_at is None  # time releases nothing
    page = browser_of("mona").get(reverse("holds")).content.decode()
    assert f.client.number in page


def test_silence_is_noted_and_an_answer_may_still_come(f):
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    with pytest.raises(DomainError, match="not asked"):
        flags.record_answer(actor=f.mona, flag_id=flag.pk, granted=True, on=NOW.date())
    flags.ask_consent(actor=f.mona, flag_id=flag.pk, on=NOW.date())
    with clock.at(NOW + timedelta(days=20)):
        assert timers.watch_consents() == 1
        flags.record_answer(actor=f.mona, flag_id=flag.pk, granted=True, on=NOW.date() + timedelta(days=19))
        assert timers.watch_consents() == 0
    kinds = [step.kind for step in ConsentStep.objects.order_by("pk")]
    assert kinds == ["ASKED", "SILENT", "GRANTED"]


def test_permissions_of_all_kinds_exist(f):
    from django.contrib.auth.models import Permission

    known = {f"accounts.{p.codename}" for p in Permission.objects.filter(content_type__app_label="accounts")}
    named = {p for rule in RULES.values() for p in (rule.put, rule.see, rule.end, rule.decider and rule.decider.value)}
    assert {p for p in named if p} <= known
