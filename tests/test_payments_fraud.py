"""Rules that look for fraud: each speaks when it should and is silent when not, does nothing to anybody, and is seen by
nobody who could tell the client."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import Client
from accounts.services import clients
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import User
from integrations.adapters.mt5_webapi import mapping
from integrations.models import BankLine, ServerUser
from integrations.services.users import keep_users
from payments.actions import fraud as actions
from payments.models import FraudAlert, FraudEvent, FraudKind, MoneyRequest, Payee
from payments.models.fraud import PARAMETERS
from payments.services import deposits, fraud, fraud_rules, payees
from tests.attacks import at_once, execute, refused
from tests.builders import ROBOT, person, user
from tests.payments_desk import Desk, announced, at_source, bank, crypto, open_desk, psp
from tests.worlds import World, bank_line, deal

D, K = Decimal, FraudKind
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(db: None) -> Desk:
    return open_desk("100000.00")


def found(desk: Desk, kind: str) -> list[tuple[str, str]]:
    """(client, subject) of the alerts of a rule after it has looked."""
    fraud.find(actor=ROBOT, entity_id=desk.here.pk)
    rows = FraudAlert.objects.filter(kind=kind).order_by("pk")
    return [(row.client.number, row.subject) for row in rows.select_related("client")]


def other(desk: Desk, number: str = "C-2", name: str = "Bob Babbage") -> Client:
    return clients.open_client(actor=ROBOT, entity_id=desk.here.pk, number=number, name=name, country="GB")


def proposed(client: Client, **more: Any) -> Payee:
    values = {
        "kind": "CARD", "currency": "USD", "holder": client.name,
        "details": {"token": "tok_1", "last4": "4242", "brand": "visa"}, "connection_id": psp().pk, **more,
    }  # fmt: skip
    return payees.propose(actor=ROBOT, client_id=client.pk, **values)


def login_of(desk: Desk, client: Client, number: int) -> int:
    (account,) = clients.open_trading_accounts(
        actor=ROBOT, logins=[clients.Login(client.pk, desk.server.pk, number, "USD")]
    )
    return account.login


def signed_in_from(desk: Desk, traces: dict[int, tuple[str, str]]) -> None:
    """What the trade server says of logins: device and address, as a reading of its users brings it."""
    known = {"Rights": "1", "Group": "real", "Leverage": "30"}
    rows = [
        mapping.user({**known, "Login": str(login), "MQID": device, "LastIP": address}, currency="USD")
        for login, (device, address) in traces.items()
    ]
    keep_users(connection=desk.server, users=rows, asked_at=clock.now())


def paid_in(desk: Desk, amount: str = "1000.00", *, days_ago: int = 2, method: str = "CARD") -> MoneyRequest:
    """A deposit that was credited, so many days ago."""
    with clock.at(clock.now() - timedelta(days=days_ago)), transaction.atomic():
        request = announced(desk.client, amount, method=method)
        deposits.credit(actor=ROBOT, request=request, data={})
    return request


def traded(desk: Desk, ticket: int, *, days_ago: int = 1) -> None:
    at = (clock.now() - timedelta(days=days_ago)).replace(tzinfo=None)
    World.put(object.__new__(World), desk.server, deal(ticket, server_time=at))


def test_one_destination_of_two_clients_and_not_of_one(desk: Desk) -> None:
    bob = other(desk)
    mine = proposed(desk.client)
    proposed(bob, details={"token": "tok_2", "last4": "4242", "brand": "visa"})
    assert found(desk, K.SHARED_PAYEE) == []
    his = proposed(bob)
    assert found(desk, K.SHARED_PAYEE) == [("C-1", f"payee:{mine.pk}"), ("C-2", f"payee:{his.pk}")]
    assert FraudAlert.objects.get(client=bob).evidence == {"payee": his.pk, "clients": 2, "other payees": [mine.pk]}


def test_one_device_of_two_clients_and_an_address_only_of_three(desk: Desk) -> None:
    bob, eve = other(desk), other(desk, "C-3")
    one, two, three = (login_of(desk, client, number) for client, number in ((desk.client, 71), (bob, 72), (eve, 73)))
    signed_in_from(desk, {one: ("77", "203.0.113.9"), two: ("78", "203.0.113.9"), three: ("", "")})
    assert found(desk, K.DEVICE) == []  # a household shares an address
    signed_in_from(desk, {three: ("78", "203.0.113.9")})
    assert sorted(number for number, _ in found(desk, K.DEVICE)) == ["C-1", "C-2", "C-2", "C-3", "C-3"]
    evidence = FraudAlert.objects.get(client=desk.client).evidence
    assert evidence == {"shared": "address", "clients": 3, "logins": [one]}
    device = FraudAlert.objects.get(client=eve, subject__startswith="device:")
    assert (device.evidence["clients"], device.evidence["logins"]) == (2, [three])
    signed_in_from(desk, {two: ("78", "203.0.113.9")})
    assert len(found(desk, K.DEVICE)) == 5  # the same picture once


def test_devices_and_addresses_are_kept_as_marks_that_only_the_key_makes(desk: Desk, settings: Any) -> None:
    login = login_of(desk, desk.client, 71)
    signed_in_from(desk, {login: ("77", "203.0.113.9")})
    kept = ServerUser.objects.get(login=login)
    assert len(kept.device) == len(kept.address) == 64 and "203" not in kept.address
    settings.FIELD_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI="]
    signed_in_from(desk, {login: ("77", "203.0.113.9")})
    assert ServerUser.objects.get(login=login).device != kept.device


def test_a_retired_destination_is_no_alert(desk: Desk) -> None:
    proposed(other(desk))
    payees.retire(actor=ROBOT, payee_id=proposed(desk.client).pk)
    assert [number for number, _ in found(desk, K.SHARED_PAYEE)] == ["C-2"]


def test_card_in_and_crypto_out(desk: Desk) -> None:
    address = crypto(desk)
    bank_in = paid_in(desk, method="BANK")
    assert bank_in.method == "BANK"
    first = desk.submit("10.00", payee_id=address.pk)
    assert found(desk, K.CRYPTO_OUT) == []  # what came by bank
    card = paid_in(desk)
    second = desk.submit("10.00", payee_id=address.pk)
    desk.submit("10.00")  # to the bank
    assert found(desk, K.CRYPTO_OUT) == [("C-1", f"request:{first.pk}"), ("C-1", f"request:{second.pk}")]
    assert FraudAlert.objects.latest("pk").evidence == {"withdrawal": second.reference, "deposits": [card.reference]}


def test_a_card_deposit_of_long_ago_is_no_crypto_alert(desk: Desk) -> None:
    paid_in(desk, days_ago=31)
    desk.submit("10.00", payee_id=crypto(desk).pk)
    assert found(desk, K.CRYPTO_OUT) == []


@pytest.mark.parametrize(
    ("amount", "days_ago", "trade", "speaks"),
    [("800.00", 2, None, True), ("799.99", 2, None, False), ("900.00", 2, 1, False), ("900.00", 2, 3, True),
     ("900.00", 31, None, False)],
)  # fmt: skip
def test_deposit_and_withdrawal_without_trading(
    desk: Desk, amount: str, days_ago: int, trade: int | None, speaks: bool
) -> None:
    paid_in(desk, days_ago=days_ago)
    if trade is not None:
        traded(desk, 900, days_ago=trade)
    request = desk.submit(amount)
    assert found(desk, K.NO_TRADING) == ([("C-1", f"request:{request.pk}")] if speaks else [])


@pytest.mark.parametrize(
    ("amounts", "speaks"),
    [(("9000.00", "9500.00", "9999.99"), True), (("9000.00", "9500.00"), False),
     (("9000.00", "9500.00", "10000.00"), False), (("9000.00", "9500.00", "8499.99"), False)],
)  # fmt: skip
def test_amounts_just_under_the_limit(desk: Desk, amounts: tuple[str, ...], speaks: bool) -> None:
    rows = [desk.submit(amount) for amount in amounts]
    assert found(desk, K.SPLIT) == ([("C-1", f"request:{rows[-1].pk}")] if speaks else [])


def test_just_under_the_limit_over_a_week_is_no_split(desk: Desk) -> None:
    for days in (7, 4, 0):
        with clock.at(clock.now() - timedelta(days=days)):
            announced(desk.client, "9500.00", method="BANK")
    assert found(desk, K.SPLIT) == []


def test_many_requests_in_a_day_are_one_alert(desk: Desk) -> None:
    for _ in range(5):
        announced(desk.client, "10.00", method="BANK")
    assert found(desk, K.VELOCITY) == []
    sixth, _ = announced(desk.client, "10.00", method="BANK"), announced(desk.client, "10.00", method="BANK")
    assert found(desk, K.VELOCITY) == [("C-1", f"request:{sixth.pk}")]


def test_another_name_on_a_payee_and_on_a_receipt(desk: Desk) -> None:
    proposed(desk.client, holder="LOVELACE ADA")
    fits, differs = announced(desk.client, "20.00", method="BANK"), announced(desk.client, "30.00", method="BANK")
    at_source(
        bank(), bank_line("B1", "20.00", remittance=fits.reference, counterparty="Ms Ada Lovelace"),
        bank_line("B2", "30.00", remittance=differs.reference, counterparty="Charles Xavier Babbage"),
    )  # fmt: skip
    line = BankLine.objects.get(line_key="B2")
    assert found(desk, K.NAME) == [("C-1", f"bank:{line.pk}")]
    payee = proposed(desk.client, holder="Zbigniew Q", details={"token": "tok_9", "last4": "1111", "brand": "mc"})
    assert found(desk, K.NAME) == [("C-1", f"bank:{line.pk}"), ("C-1", f"payee:{payee.pk}")]
    for row in FraudAlert.objects.all():
        assert "Babbage" not in str(row.evidence) and "Zbigniew" not in str(row.evidence)


def test_many_cards_of_one_client(desk: Desk) -> None:
    for n in range(2):
        proposed(desk.client, details={"token": f"tok_{n}", "last4": "4242", "brand": "visa"})
    with clock.at(clock.now() - timedelta(days=91)):
        proposed(desk.client, details={"token": "tok_old", "last4": "4242", "brand": "visa"})
    assert found(desk, K.CARDS) == []
    last = proposed(desk.client, details={"token": "tok_3", "last4": "4242", "brand": "visa"})
    assert found(desk, K.CARDS) == [("C-1", f"cards:{last.pk}")]


def test_a_rule_speaks_once_and_does_nothing_to_anybody(desk: Desk) -> None:
    proposed(desk.client), proposed(other(desk))
    before = desk.client.flags.count(), desk.client.restrictions.count(), MoneyRequest.objects.count()
    assert fraud.find(actor=ROBOT, entity_id=desk.here.pk) == 2
    assert fraud.find_all(actor=ROBOT) == 0
    for row in FraudAlert.objects.all():
        fraud.close(actor=desk.carl, alert_id=row.pk, outcome="EXPLAINED", text="They are married.")
    assert fraud.find_all(actor=ROBOT) == 0
    assert before == (desk.client.flags.count(), desk.client.restrictions.count(), MoneyRequest.objects.count())


def test_every_rule_has_parameters_and_a_first_version(desk: Desk) -> None:
    held = fraud.rules_for(desk.here.pk)
    assert set(held) == set(FraudKind.values) == set(fraud_rules.RULES) == set(PARAMETERS)
    for kind, rule in held.items():
        assert rule.parameters == {name: p.first for name, p in PARAMETERS[kind].items()}


def test_other_parameters_need_two_and_hold_where_they_were_made(desk: Desk) -> None:
    sam, mia = (
        person(user(name, f"payments.{verb}_fraudrule", entities=(desk.here,)))
        for name, verb in (("sam", "ask"), ("mia", "approve"))
    )
    for wrong in ("clients 1", "clients 2, clients 2, days 3", "clients two", "", "clients 2, more 3", "clients ²"):
        payload = actions.ChangeFraudRule(desk.here.pk, False, K.SHARED_PAYEE, True, wrong)
        with pytest.raises(DomainError):
            requests.submit(actor=sam, action=actions.CHANGE, payload=payload, reason="x")
    payload = actions.ChangeFraudRule(desk.here.pk, False, K.SHARED_PAYEE, False, "clients 3")
    asked = requests.submit(actor=sam, action=actions.CHANGE, payload=payload, reason="the board")
    assert fraud.rules_for(desk.here.pk)[K.SHARED_PAYEE].is_on
    requests.approve(actor=mia, request_id=asked.pk, seen_hash=asked.payload_hash)
    proposed(desk.client), proposed(other(desk))
    assert found(desk, K.SHARED_PAYEE) == []  # it does not look any more
    with refused("BO121"):
        execute("INSERT INTO payments_fraudrule (kind, is_on, parameters, at) VALUES ('SPLIT', true, '{}', now())")
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError), transaction.atomic():
        execute("UPDATE payments_fraudrule SET is_on = false")


def test_an_alert_is_worked_on_and_closed_once(desk: Desk) -> None:
    proposed(desk.client), proposed(other(desk))
    fraud.find_all(actor=ROBOT)
    alert = FraudAlert.objects.first()
    assert alert is not None
    with pytest.raises(NotFound):
        fraud.assign(actor=desk.pat, alert_id=alert.pk, assignee_id=desk.sue.user_id)
    fraud.assign(actor=desk.pat, alert_id=alert.pk, assignee_id=desk.carl.user_id)
    fraud.explain(actor=desk.carl, alert_id=alert.pk, text="<b>Zebra</b> asked for papers")
    with pytest.raises(DomainError, match="Say why"):
        fraud.close(actor=desk.carl, alert_id=alert.pk, outcome="WATCHED", text=" ")
    fraud.close(actor=desk.carl, alert_id=alert.pk, outcome="WATCHED", text="Papers came.")
    with pytest.raises(fraud.AlertClosed):
        fraud.close(actor=desk.carl, alert_id=alert.pk, outcome="CONFIRMED", text="no")
    with pytest.raises(fraud.AlertClosed):
        fraud.explain(actor=desk.carl, alert_id=alert.pk, text="no")
    with pytest.raises(fraud.AlertClosed):
        fraud.assign(actor=desk.carl, alert_id=alert.pk, assignee_id=desk.pat.user_id)
    for change in ("state = 'OPEN', closed_at = NULL, closed_by_id = NULL, outcome = ''", "outcome = 'CONFIRMED'",
                   "client_id = client_id", "evidence = '{}'"):  # fmt: skip
        with refused("BO120"):
            execute(f"UPDATE payments_fraudalert SET {change} WHERE id = {alert.pk}")
    with pytest.raises(DatabaseError), transaction.atomic():
        execute("DELETE FROM payments_fraudevent")
    assert FraudEvent.objects.filter(alert=alert).count() == 3
    page = seen(desk, "carl", "fraud-alert", alert.pk)
    assert "&lt;b&gt;Zebra" in page and "<b>Zebra" not in page


def seen(desk: Desk, name: str, route: str, *arguments: object) -> str:
    browser = Browser()
    browser.force_login(User.objects.get(username=name))
    return browser.get(reverse(route, args=arguments)).content.decode()


def test_nobody_who_talks_to_the_client_learns_of_it(desk: Desk) -> None:
    """Support and IB managers see the same pages, byte for byte, before and after an alert was found and worked on."""
    proposed(desk.client), proposed(other(desk))
    pages = [("sue", "client", desk.client.pk), ("sue", "payees"), ("sue", "clients"),
             ("sue", "requests"), ("ian", "client", desk.client.pk)]  # fmt: skip

    def shown() -> list[str]:

        return [
            re.sub(r'nonce="[^"]*"|value="[A-Za-z0-9]{64}"|[A-Za-z0-9]{64}', "", seen(desk, *page)) for page in pages
        ]

    with clock.at(clock.now()):
        before = shown()
        fraud.find_all(actor=ROBOT)
        for alert in FraudAlert.objects.all():
            fraud.explain(actor=desk.carl, alert_id=alert.pk, text="suspicious")
        assert shown() == before
    for name in ("sue", "ian", "dana", "fred", "sam"):
        browser = Browser()
        browser.force_login(User.objects.get(username=name))
        for route, pk in (("fraud-alerts", None), ("fraud-alert", alert.pk), ("close-alert", alert.pk)):
            assert browser.get(reverse(route, args=[pk] if pk else [])).status_code == 403


@committed
def test_four_jobs_at_once_find_each_once() -> None:
    desk = open_desk()
    proposed(desk.client), proposed(other(desk))
    results = at_once(4, lambda _: fraud.find_all(actor=ROBOT))
    assert sorted(map(str, results)) == ["0", "0", "0", "2"] and FraudAlert.objects.count() == 2
