"""Payees of the demo's clients: proposed by Sue, verified by Carl; some are young, some wait, one was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accounts.models import Client
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.demo.chance import Dice
from backoffice.demo.money.psps import CARDS
from backoffice.demo.names import account
from backoffice.demo.people import person
from backoffice.demo.plan import Holder
from backoffice.demo.scene import Scene
from integrations.models import Connection
from payments.actions.outside import VERIFY, VerifyPayee
from payments.models import Payee
from payments.services import payees

_HEX = "0123456789abcdef"
_TOWNS = {
    "DE": "Berlin", "GB": "London", "ES": "Madrid", "IT": "Milano", "FR": "Paris", "PL": "Kraków", "GR": "Athens",
    "CY": "Nicosia", "CZ": "Praha", "RO": "Bucharest", "BG": "Sofia", "SE": "Stockholm", "TR": "Istanbul",
    "AE": "Dubai", "SA": "Riyadh", "JP": "Osaka", "CN": "Shanghai", "IN": "Mumbai", "IL": "Haifa", "NG": "Lagos",
    "BR": "São Paulo", "VN": "Hanoi", "UA": "Kyiv",
}  # fmt: skip


def known(scene: Scene, found: Mapping[str, Connection]) -> None:
    """Everybody's payee, verified in the first days."""
    dice = Dice(scene.seed, "payees")
    for holder in scene.plan.holders:
        decide(propose(dice, holder, found, holder.method))


def lately(scene: Scene, found: Mapping[str, Connection]) -> None:
    """Two days before the live day: new accounts of two clients, of which the second one replaces the old, and one in
    somebody else's name, which is refused."""
    dice = Dice(scene.seed, "young payees")
    by_bank = _by_bank(scene)
    decide(propose(dice, by_bank[2], found, "BANK", other=True))
    decide(propose(dice, by_bank[3], found, "BANK", replaces=of(by_bank[3])))
    refused = propose(dice, by_bank[4], found, "BANK", holder="Quick Transfers Ltd", other=True)
    requests.reject(
        actor=person("carl"), request_id=refused.pk, seen_hash=refused.payload_hash, reason="A third person's account."
    )


def this_morning(scene: Scene, found: Mapping[str, Connection]) -> None:
    """Three that wait for compliance, one of each kind."""
    dice = Dice(scene.seed, "new payees")
    by_bank = _by_bank(scene)
    propose(dice, by_bank[5], found, "BANK", other=True)
    propose(dice, by_bank[6], found, "CRYPTO")
    propose(dice, _by(scene, "CARD")[1], found, "CARD", other=True)


def of(holder: Holder) -> Payee:
    """The oldest payee of a client by the client's own method."""
    rows = Payee.objects.filter(client__number=holder.client.number, kind=holder.method, state="VERIFIED")
    return rows.order_by("pk")[0]


def newest(holder: Holder) -> Payee:
    rows = Payee.objects.filter(client__number=holder.client.number, state="VERIFIED")
    return rows.order_by("-pk")[0]


def propose(
    dice: Dice,
    who: Holder,
    found: Mapping[str, Connection],
    kind: str,
    *,
    holder: str = "",
    other: bool = False,
    replaces: Payee | None = None,
) -> Request:
    """Sue enters a payee and asks compliance; `other` says that it is not the only one."""
    client = Client.objects.get(number=who.client.number)
    where = found[CARDS] if kind in ("CARD", "EWALLET") else None
    payee = payees.propose(
        actor=person("sue"),
        client_id=client.pk,
        kind=kind,
        currency=who.login.currency,
        holder=holder or client.name,
        details=_details(dice, who, kind),
        connection_id=where.pk if where else None,
        replaces_id=replaces.pk if replaces else None,
    )
    reason = "The client changed the account." if replaces else "A second one." if other else "Named at the opening."
    return requests.submit(actor=person("sue"), action=VERIFY, payload=VerifyPayee(payee.pk), reason=reason)


def decide(asked: Request) -> None:
    requests.approve(
        actor=person("carl"), request_id=asked.pk, seen_hash=asked.payload_hash, reason="As in the papers."
    )


def _details(dice: Dice, who: Holder, kind: str) -> dict[str, str]:
    country = who.client.country
    if kind == "BANK":
        return {"iban": account(dice, country), "town": _TOWNS.get(country, "Nicosia"), "country": country}
    if kind == "CARD":
        token, brand = f"src_{dice.text(26, _HEX)}", dice.one(("Visa", "Mastercard"))
        return {"token": token, "last4": dice.digits(4), "brand": brand}
    if kind == "CRYPTO":
        return {"network": "ETH", "address": f"0x{dice.text(40, _HEX)}"}
    return {"address": who.client.email}


def _by(scene: Scene, method: str) -> Sequence[Holder]:
    return [h for h in scene.plan.holders if h.client.entity == "CY" and h.method == method]


def _by_bank(scene: Scene) -> Sequence[Holder]:
    return _by(scene, "BANK")
