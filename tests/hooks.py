"""The providers' side of webhooks: bodies, signed as each of them signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from django.test import Client

from integrations.models import Connection, WebhookEndpoint
from integrations.services import endpoints
from tests.builders import ROBOT
from tests.worlds import connection

ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
SECRET = "a secret of ours"
SECRETS = {"adyen": ADYEN_KEY}
AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def secret_of(provider: str) -> str:
    return SECRETS.get(provider, SECRET)


def mac(secret: bytes, message: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret, message, algorithm).hexdigest()


def adyen_item(**changes: Any) -> dict[str, Any]:
    """An item of an Adyen notification, signed."""
    item: dict[str, Any] = {
        "amount": {"currency": "EUR", "value": 10000},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-11-20T13:00:00+01:00",
        "merchantAccountCode": "Broker",
        "merchantReference": "D-0000000A",
        "pspReference": "8835511210681324",
        "reason": "",
        "success": "true",
        **changes,
    }
    return sign_adyen(item)


def sign_adyen(item: dict[str, Any], key: str = ADYEN_KEY) -> dict[str, Any]:
    amount = item["amount"]
    values = [
        *(item.get(n, "") for n in ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")),
        *(str(amount["value"]), amount["currency"], item["eventCode"]),
        str(item["success"]).lower(),
    ]
    made = hmac.new(bytes.fromhex(key), ":".join(values).encode(), "sha256").digest()
    more = {**item.get("additionalData", {}), "hmacSignature": base64.b64encode(made).decode()}
    return {**item, "additionalData": more}


def adyen(*items: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    wrapped = {"live": "false", "notificationItems": [{"NotificationRequestItem": item} for item in items]}
    return json.dumps(wrapped).encode(), {}


def stripe(body: bytes, *, at: datetime = AT, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    stamp = int(at.timestamp())
    return body, {"stripe-signature": f"t={stamp},v1={mac(secret.encode(), f'{stamp}.'.encode() + body)}"}


def stripe_event(number: str = "evt_1", kind: str = "charge.succeeded", **thing: Any) -> bytes:
    values = {"id": "ch_1", "amount": 12345, "currency": "usd", "metadata": {"reference": "D-0000000B"}, **thing}
    said = {"id": number, "type": kind, "created": int(AT.timestamp()), "data": {"object": values}}
    return json.dumps(said).encode()


def checkout(body: bytes, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    return body, {"cko-signature": mac(secret.encode(), body)}


def checkout_event(number: str = "evt_c1", kind: str = "payment_captured", **data: Any) -> bytes:
    values = {"id": "pay_1", "reference": "D-0000000C", "amount": 5000, "currency": "GBP", **data}
    return json.dumps({"id": number, "type": kind, "created_on": "2026-11-20T12:00:00Z", "data": values}).encode()


def coinspaid(body: bytes, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    return body, {"x-processing-signature": mac(secret.encode(), body, "sha512"), "x-processing-key": "public"}


PRAXIS = (
    '{"merchant_id":"API-Broker","application_key":"App","timestamp":1795176000,'
    '"customer":{"customer_token":"tok"},"session":{"order_id":"D-0000000D","intent":"payment"},'
    '"%s":{"tid":1057,"currency":"EUR","amount":10050,"conversion_rate":1.000000,"processed_currency":"USD",'
    '"processed_amount":11000,"transaction_status":"approved"}}'
)


def praxis(part: str = "transaction", secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """Numbers are signed as the text that was sent: 1.000000 and not 1.0."""
    text = "API-BrokerApp1795176000tokD-0000000D1057EUR100501.000000USD11000" + secret
    return (PRAXIS % part).encode(), {"gt-authentication": hashlib.sha384(text.encode()).hexdigest()}


NOWPAYMENTS = (
    '{"payment_status":"finished","payment_id":5077125051,"order_id":"D-0000000E","actually_paid":0.10,'
    '"pay_currency":"btc","outcome_amount":10.500,"outcome_currency":"usdt","fee":{"serviceFee":0,"currency":"btc"}}'
)
NOWPAYMENTS_SORTED = (
    '{"actually_paid":0.10,"fee":{"currency":"btc","serviceFee":0},"order_id":"D-0000000E","outcome_amount":10.500,'
    '"outcome_currency":"usdt","pay_currency":"btc","payment_id":5077125051,"payment_status":"finished"}'
)


def nowpayments(secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    signature = mac(secret.encode(), NOWPAYMENTS_SORTED.encode(), "sha512")
    return NOWPAYMENTS.encode(), {"x-nowpayments-sig": signature}


def endpoint(provider: str = "stripe", *, code: str = "CY", name: str = "", **options: Any) -> WebhookEndpoint:
    """A connection of the entity that takes in a provider's webhooks."""
    source: Connection = connection("adyen_settlement", name or f"{provider}-{code}", code)
    options = {"settings": {}, "secret_values": {"secret": secret_of(provider)}, **options}
    return endpoints.set_up(actor=ROBOT, connection_id=source.pk, provider=provider, **options)


def post(
    where: WebhookEndpoint, body: bytes, headers: dict[str, str], client: Client | None = None, **more: Any
) -> Any:
    """What the provider does."""
    options = {"content_type": "application/json", **more}
    return (client or Client()).post(f"/hooks/{where.token}/", data=body, headers=headers, **options)
