"""PayPal's and Skrill's messages: signed by ourselves as they sign, and every bit of what is signed counts."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import zlib
from datetime import timedelta
from decimal import Decimal
from functools import cache
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from backoffice.kernel import clock
from integrations import ports, registry
from integrations.hints import PspEventKind
from integrations.models import Verdict, Webhook
from integrations.ports import Incoming
from integrations.records import Unreadable
from integrations.selectors.events import events_after
from integrations.services import endpoints
from tests import hooks
from tests.hooks import AT, SECRET
from tests.test_integrations_webhooks import flipped

K = PspEventKind
WEBHOOK_ID = "1JE4291016473214C"
PAYPAL, SKRILL = registry.WEBHOOKS["paypal"], registry.WEBHOOKS["skrill"]


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name == "weak" else 2048)


@cache
def certificate(name: str = "paypal", *, since: int = -30, until: int = 30, curve: bool = False) -> str:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "messageverificationcerts.paypal.com")])
    private = ec.generate_private_key(ec.SECP256R1()) if curve else key(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(AT + timedelta(days=since))
        .not_valid_after(AT + timedelta(days=until))
        .sign(private, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def event(number: str = "WH-1", kind: str = "PAYMENT.CAPTURE.COMPLETED", **thing) -> bytes:
    values = {
        "id": "42311647XV020574X",
        "amount": {"value": "123.45", "currency_code": "USD"},
        "custom_id": "D-0000000G",
    }
    said = {"id": number, "event_type": kind, "create_time": "2026-11-20T11:59:00Z", "resource": {**values, **thing}}
    return json.dumps(said).encode()


def signed(
    body: bytes, *, at: str = "2026-11-20T12:00:00Z", sent: str = "69cd13f0-d67a", webhook_id: str = WEBHOOK_ID,
    by: str = "paypal", **headers: str,
) -> tuple[bytes, dict[str, str]]:  # fmt: skip
    message = f"{sent}|{at}|{webhook_id}|{zlib.crc32(body)}".encode()
    made = base64.b64encode(key(by).sign(message, padding.PKCS1v15(), SHA256())).decode()
    names = ("id", "time", "sig")
    given = dict(zip((f"paypal-transmission-{n}" for n in names), (sent, at, made), strict=True))
    return body, {
        **given,
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": "https://attacker.example/cert.pem",
        **headers,
    }


def why(body: bytes, headers: dict[str, str], *, pem: str = "", webhook_id: str = WEBHOOK_ID, now=AT) -> str:
    """The kind of refusal; empty where it is taken."""
    secrets = {"webhook_id": webhook_id, "certificates": pem or certificate()}
    try:
        PAYPAL.check(Incoming(body, headers), settings={}, secrets=secrets, now=now)
    except (ports.NotGenuine, Unreadable) as error:
        return type(error).__name__
    return ""


def test_what_paypal_signed_is_taken():
    assert why(*signed(event())) == ""


def test_every_bit_of_paypals_body_counts():
    body, headers = signed(event())

    assert {why(flipped(body, bit), headers) for bit in range(len(body) * 8)} == {"Mismatch"}


@pytest.mark.parametrize("name", ["paypal-transmission-id", "paypal-transmission-time"])
def test_every_bit_of_what_paypal_signs_beside_the_body(name):
    body, headers = signed(event())
    value = headers[name].encode()

    for bit in range(len(value) * 8):
        changed = flipped(value, bit).decode("latin-1")
        assert why(body, {**headers, name: changed}) == "Mismatch", bit


def test_every_bit_of_paypals_signature_counts():
    body, headers = signed(event())
    raw = base64.b64decode(headers["paypal-transmission-sig"])

    for bit in range(0, len(raw) * 8, 7):
        changed = base64.b64encode(flipped(raw, bit)).decode()
        assert why(body, {**headers, "paypal-transmission-sig": changed}) == "Mismatch", bit


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"paypal-transmission-sig": ""}, "Unsigned"),
        ({"paypal-transmission-id": ""}, "Unsigned"),
        ({"paypal-transmission-time": ""}, "Unsigned"),
        ({"paypal-transmission-sig": "not base64!"}, "Mismatch"),
        ({"paypal-transmission-sig": "AAAA"}, "Mismatch"),
        ({"paypal-auth-algo": "SHA1withRSA"}, "Mismatch"),
        ({"paypal-auth-algo": ""}, "Mismatch"),
        ({"paypal-transmission-id": "ü\ud800"}, "Mismatch"),
    ],
)
def test_headers_of_paypal_that_are_not_as_they_are_sent(changes, says):
    body, headers = signed(event())

    assert why(body, {**headers, **changes}) == says


def test_a_certificate_that_the_message_names_is_never_fetched(monkeypatch):
    """Somebody signs with his own key and names his own certificate: only ours counts, and nobody is asked."""

    def refuse(*args, **kwargs):
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr("socket.socket.connect", refuse)

    assert why(*signed(event(), by="attacker")) == "Mismatch"
    assert why(*signed(event(), by="attacker"), pem=certificate("attacker")) == ""


def test_the_webhook_id_is_part_of_what_is_signed():
    assert why(*signed(event()), webhook_id="another") == "Mismatch"


def test_two_certificates_while_paypal_changes_over():
    both = certificate("next") + certificate()

    assert [why(*signed(event(), by=name), pem=both) for name in ("paypal", "next", "attacker")] == ["", "", "Mismatch"]


@pytest.mark.parametrize(("since", "until"), [(-30, -1), (1, 30)])
def test_a_certificate_counts_while_it_is_valid(since, until):
    assert why(*signed(event()), pem=certificate(since=since, until=until)) == "Mismatch"


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("2026-11-16T12:00:00Z", ""),
        ("2026-11-16T11:59:59Z", "OutOfWindow"),
        ("2026-11-20T12:05:00Z", ""),
        ("2026-11-20T12:05:01Z", "OutOfWindow"),
        ("yesterday", "OutOfWindow"),
    ],
)
def test_paypals_window(at, says):
    assert why(*signed(event(), at=at)) == says


@pytest.mark.parametrize(
    "pem",
    [
        "", "no certificate", "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----!-----END CERTIFICATE-----", certificate(curve=True), certificate("weak"),
    ],
    ids=["empty", "text", "no certificate inside", "no base64", "no RSA", "weak"],
)  # fmt: skip
def test_a_certificate_that_cannot_be_right_is_said_when_it_is_entered(pem):
    assert "certificate" in PAYPAL.problem({"webhook_id": WEBHOOK_ID, "certificates": pem})


def test_a_certificate_pasted_into_one_line_is_the_same():
    line = certificate().replace("\n", "")

    assert PAYPAL.problem({"webhook_id": WEBHOOK_ID, "certificates": line}) == ""
    assert why(*signed(event()), pem=line) == ""


@pytest.mark.parametrize(
    ("kind", "thing", "says"),
    [
        ("PAYMENT.CAPTURE.COMPLETED", {}, K.PAYMENT_APPROVED),
        ("PAYMENT.CAPTURE.DENIED", {}, K.PAYMENT_DECLINED),
        ("PAYMENT.CAPTURE.REFUNDED", {}, K.REFUNDED),
        ("CHECKOUT.ORDER.APPROVED", {}, K.OTHER),
        ("CUSTOMER.DISPUTE.CREATED", {"dispute_life_cycle_stage": "INQUIRY"}, K.DISPUTE_INQUIRY),
        ("CUSTOMER.DISPUTE.UPDATED", {"dispute_life_cycle_stage": "CHARGEBACK"}, K.DISPUTE_NOTIFIED),
        ("CUSTOMER.DISPUTE.UPDATED", {"dispute_life_cycle_stage": "PRE_ARBITRATION"}, K.DISPUTE_PRE_ARBITRATION),
        (
            "CUSTOMER.DISPUTE.RESOLVED",
            {"dispute_outcome": {"outcome_code": "RESOLVED_SELLER_FAVOUR"}},
            K.DISPUTE_WON,
        ),
        ("CUSTOMER.DISPUTE.RESOLVED", {"dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}}, K.DISPUTE_LOST),
        ("CUSTOMER.DISPUTE.RESOLVED", {}, K.DISPUTE_CLOSED),
    ],
)
def test_paypals_words(kind, thing, says):
    (found,) = PAYPAL.read(Incoming(*signed(event(kind=kind, **thing))), settings={})

    assert found.kind is says


def test_what_paypal_says_of_a_payment_a_payout_and_a_dispute():
    (paid,) = PAYPAL.read(Incoming(*signed(event())), settings={})
    item = {"sender_item_id": "W-0000000A", "amount": {"value": "20.00", "currency": "EUR"}}
    kind = "PAYMENT.PAYOUTS-ITEM.SUCCEEDED"
    (out,) = PAYPAL.read(Incoming(*signed(event(kind=kind, payout_item=item, payout_item_id="P1"))), settings={})
    thing = {
        "dispute_id": "PP-D-1",
        "dispute_amount": {"value": "123.45", "currency_code": "USD"},
        "disputed_transactions": [{"seller_transaction_id": "42311647XV020574X", "custom": "D-0000000G"}],
        "seller_response_due_date": "2026-11-30T12:00:00Z",
    }
    (dispute,) = PAYPAL.read(Incoming(*signed(event(kind="CUSTOMER.DISPUTE.CREATED", **thing))), settings={})

    assert (paid.amount, paid.currency, paid.merchant_reference) == (Decimal("123.45"), "USD", "D-0000000G")
    assert (out.kind, out.amount, out.currency) == (K.PAYOUT_PAID, Decimal("20.00"), "EUR")
    assert (out.psp_reference, out.merchant_reference) == ("P1", "W-0000000A")
    assert (dispute.psp_reference, dispute.original_reference) == ("PP-D-1", "42311647XV020574X")
    assert (dispute.merchant_reference, dispute.amount) == ("D-0000000G", Decimal("123.45"))
    assert dispute.details["defence_until"] == "2026-11-30T12:00:00+00:00"


def forged(number: int) -> bytes:
    """Another event with a CRC-32 of choice, as anybody can make one: four bytes inside a text bend it."""
    table = []
    for place in range(256):
        entry = place
        for _ in range(8):
            entry = entry >> 1 ^ (0xEDB88320 if entry & 1 else 0)
        table.append(entry)
    place_of = {entry >> 24: place for place, entry in enumerate(table)}
    for filler in itertools.count():
        head, tail = event("WH-2", custom_id="D-ATTACKER", note=f"{filler}#").split(b"#")
        state, places = number ^ 0xFFFFFFFF, []
        for byte in reversed(tail):
            place = place_of[state >> 24]
            state = (state ^ table[place]) << 8 & 0xFFFFFFFF | (place ^ byte)
        for _ in range(4):
            places.append(place_of[state >> 24])
            state = (state ^ table[places[-1]]) << 8 & 0xFFFFFFFF
        register, bent = zlib.crc32(head) ^ 0xFFFFFFFF, b""
        for place in reversed(places):
            bent += bytes([(place ^ register) & 0xFF])
            register = register >> 8 ^ table[place]
        if bent.isalnum():
            return head + bent + tail
    raise AssertionError


def paypal_door():
    secrets = {"webhook_id": WEBHOOK_ID, "certificates": certificate()}
    return hooks.endpoint("paypal", secret_values=secrets)


@pytest.mark.django_db
def test_a_body_made_to_the_number_of_another_is_no_new_event():
    """A CRC-32 is no hash. Who has overheard one message can send another body under its signature; it counts as the
    same transmission, and is never read."""
    body, headers = signed(event())
    other = forged(zlib.crc32(body))

    with clock.at(AT):
        where = paypal_door()
        answers = [hooks.post(where, one, headers).status_code for one in (body, other, body)]

    assert why(other, headers) == "" and json.loads(other)["id"] == "WH-2"
    assert answers == [200, 200, 200]
    assert [one.event.merchant_reference for one in events_after(None, 0)] == ["D-0000000G"]
    assert set(Webhook.objects.values_list("verdict", flat=True)) == {Verdict.VERIFIED, Verdict.DIFFERS}


@pytest.mark.django_db
def test_paypals_message_comes_in_at_the_door_and_its_identity_is_what_is_signed():
    with clock.at(AT):
        where = paypal_door()
        taken = hooks.post(where, *signed(event()))
        again = hooks.post(where, *signed(event()))
        other = hooks.post(where, *signed(event("WH-2"), sent="another"))
        refused = hooks.post(where, *signed(event(), by="attacker"))

    assert [a.status_code for a in (taken, again, other, refused)] == [200, 200, 200, 401]
    assert [one.event.kind for one in events_after(None, 0)] == [K.PAYMENT_APPROVED] * 2
    assert Webhook.objects.exclude(verdict=Verdict.VERIFIED).get().verdict == Verdict.MISMATCH


@pytest.mark.django_db
def test_no_paypal_door_without_a_certificate():
    with pytest.raises(endpoints.BadEndpoint, match="certificate"):
        hooks.endpoint("paypal", secret_values={"webhook_id": WEBHOOK_ID, "certificates": "none"})


# Skrill

POST = {
    "pay_to_email": "broker@example.com", "pay_from_email": "client@example.com", "merchant_id": "4637827",
    "transaction_id": "D-0000000H", "mb_transaction_id": "200234", "mb_amount": "25.10", "mb_currency": "GBP",
    "status": "2", "amount": "39.60", "currency": "USD", "payment_type": "WLT",
}  # fmt: skip
GIVEN = {"merchant_id": "4637827"}


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def skrill(*, secret: str = SECRET, **changes: str) -> bytes:
    found = {**POST, **changes}
    values = found["merchant_id"], found["transaction_id"], md5(secret), found["mb_amount"], found["mb_currency"]
    return urlencode({**found, "md5sig": md5("".join(values) + found["status"])}).encode()


def says(body: bytes, *, given=None) -> str:
    try:
        SKRILL.check(Incoming(body, {}), settings=given or GIVEN, secrets={"secret": SECRET}, now=AT)
    except (ports.NotGenuine, Unreadable) as error:
        return type(error).__name__
    return ""


def test_what_skrill_signed_is_taken():
    assert says(skrill()) == ""
    # By hand: the rule of the signature, written down once more without the code above.
    signature = hashlib.md5(b"4637827D-0000000H" + md5(SECRET).encode() + b"25.10GBP2", usedforsecurity=False)
    assert f"md5sig={signature.hexdigest().upper()}".encode() in skrill()


@pytest.mark.parametrize("name", ["merchant_id", "transaction_id", "mb_amount", "mb_currency", "status", "md5sig"])
def test_every_bit_of_what_skrill_signs(name):
    body = skrill()
    value = dict(pair.split(b"=", 1) for pair in body.split(b"&"))[name.encode()]
    start = body.index(b"&" + name.encode() + b"=") + len(name) + 2

    for bit in range(start * 8, (start + len(value)) * 8):
        assert says(flipped(body, bit)) in ("Mismatch", "Unreadable", "Unsigned"), bit


def test_another_secret_word_and_another_merchant():
    assert says(skrill(secret="another")) == "Mismatch"
    assert says(skrill(), given={"merchant_id": "4637828"}) == "Mismatch"
    assert says(skrill().replace(b"md5sig", b"md5")) == "Unsigned"


@pytest.mark.parametrize(
    "changes",
    [
        {"merchant_id": "46378", "transaction_id": "27D-0000000H"},
        {"merchant_id": "4637827D", "transaction_id": "-0000000H"},
        {"mb_amount": "25.10G", "mb_currency": "BP2", "status": ""},
        {"mb_amount": "25.1", "mb_currency": "0GB", "status": "P2"},
        {"mb_amount": "", "mb_currency": "25.10GBP"},
    ],
)
def test_the_same_signed_text_cut_in_another_way_is_refused(changes):
    """The values are signed without a sign between them, so the signature fits each of these."""
    whole = dict(pair.split("=") for pair in skrill().decode().split("&"))
    cut = urlencode({**whole, **changes}).encode()

    assert dict(pair.split("=") for pair in cut.decode().split("&"))["md5sig"] == whole["md5sig"]
    assert says(cut) == "Mismatch"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"a=1&a=2", skrill() + b"&status=2", b"\xff=1", b"a=%ff", b"&".join(b"a%d=1" % n for n in range(300))],
    ids=["empty", "JSON", "twice", "signed value twice", "no ASCII", "no UTF-8", "too many fields"],
)
def test_a_form_that_two_programs_could_read_differently(body):
    with pytest.raises(Unreadable):
        SKRILL.read(Incoming(body, {}), settings=GIVEN)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("2", K.PAYMENT_APPROVED), ("0", K.PAYMENT_PENDING), ("-1", K.PAYMENT_CANCELLED), ("-2", K.PAYMENT_DECLINED),
        ("-3", K.DISPUTE_CHARGED_BACK), ("7", K.OTHER),
    ],
)  # fmt: skip
def test_skrills_statuses(status, kind):
    (found,) = SKRILL.read(Incoming(skrill(status=status), {}), settings=GIVEN)

    assert (found.kind, found.amount, found.currency) == (kind, Decimal("25.10"), "GBP")
    assert (found.merchant_reference, found.psp_reference) == ("D-0000000H", "200234")
    assert (found.details["paid_amount"], found.details["paid_currency"]) == ("39.60", "USD")


@pytest.mark.django_db
def test_skrills_post_comes_in_at_the_door_once():
    with clock.at(AT):
        where = hooks.endpoint("skrill", settings=GIVEN)
        form = {"content_type": "application/x-www-form-urlencoded"}
        bodies = (skrill(), skrill(), skrill(payment_type="VSA"), skrill(status="-3"), skrill(secret="guessed"))
        answers = [hooks.post(where, body, {}, **form).status_code for body in bodies]

    assert answers == [200, 200, 200, 200, 401]
    assert [one.event.kind for one in events_after(None, 0)] == [K.PAYMENT_APPROVED, K.DISPUTE_CHARGED_BACK]
