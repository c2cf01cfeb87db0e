"""What a destination must say, kind by kind: checked, brought to one spelling, and reduced to a fingerprint.

Pure, apart from the installation's key. IBAN: ISO 13616 (length and check digits, by schwifty); BIC: ISO 9362.
Addresses: the checks of Bitcoin (base58check; bech32 by BIP 173 and 350) and Tron are recomputed; of Ethereum the form
alone, because its mixed case (EIP-55) needs Keccak, which is not in Python's library.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from backoffice.kernel import marks
from backoffice.kernel.errors import DomainError
from payments.models.payees import DETAILS, PayeeKind

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
NETWORKS = {"BTC": "Bitcoin", "ETH": "Ethereum", "TRON": "Tron", "OTHER": "other network"}
# What people type between the letters: spaces and signs that mean nothing.
_LOOSE = re.compile(r"[\s.\-/]")


class BadDestination(DomainError):
    """A field of a payee that is missing or cannot be right. The sentence names it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked destination: its values by name, what lists show of it, and what makes it the same as another."""

    details: Mapping[str, str]
    label: str
    identity: str


def checked(kind: str, given: Mapping[str, str]) -> Destination:
    """The destination in one spelling. Raises BadDestination."""
    names = DETAILS[kind]
    values = {name: " ".join(unicodedata.normalize("NFKC", given.get(name, "")).split()) for name in names}
    found = {
        PayeeKind.BANK: _bank,
        PayeeKind.CARD: _card,
        PayeeKind.EWALLET: _ewallet,
        PayeeKind.CRYPTO: _crypto,
    }[PayeeKind(kind)](values)
    kept = {name: value for name, value in found.details.items() if value}
    return Destination(kept, found.label[:60], found.identity)


def fingerprint(kind: str, identity: str) -> str:
    """A keyed digest, equal for equal destinations."""
    return marks.mark("payments.payee", f"{kind}:{identity}")


def name_match(holder: str, client: str) -> int:
    """How well two names agree, 0 to 100, whatever the order of their parts, accents and case."""
    return int(fuzz.token_sort_ratio(_plain(holder), _plain(client)))


def _plain(name: str) -> str:
    """Without accents, case, titles and signs."""
    text = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return " ".join(word for word in letters.split() if word not in {"mr", "mrs", "ms", "dr", "prof"})


def _bank(values: dict[str, str]) -> Destination:
    """An account by IBAN, or by number and BIC where its country has none. The town and the country of the holder are
    fields of their own: structured addresses are what payment files ask for (ISO 20022, PstlAdr/TwnNm and Ctry)."""
    iban = _LOOSE.sub("", values["iban"]).upper()
    account, bic = _LOOSE.sub("", values["account"]).upper(), values["bic"].replace(" ", "").upper()
    country = values["country"].upper()
    if bool(iban) == bool(account):
        raise BadDestination("Give the IBAN, or the account number where the country has none; not both.")
    if not values["town"] or not re.fullmatch(r"[A-Z]{2}", country):
        raise BadDestination("Give the holder's town and the country as two letters (DE, GB).")
    try:
        parsed = IBAN(iban) if iban else None
        checked_bic = BIC(bic) if bic else parsed.bic if parsed else None
    except (SchwiftyException, ValueError) as error:
        raise BadDestination(f"IBAN or BIC: {error}. Compare it with what the client sent.") from error
    if parsed is None and checked_bic is None:
        raise BadDestination("An account number needs the BIC of its bank.")
    if parsed is not None and checked_bic is not None and bic and checked_bic.country_code != parsed.country_code:
        raise BadDestination("The BIC belongs to another country than the IBAN.")
    code = str(checked_bic) if checked_bic else ""
    number = iban or account
    details = {**values, "iban": iban, "account": account, "bic": code, "country": country}
    return Destination(
        details, f"{values['bank'] or code or number[:2]} …{number[-4:]}", iban or f"{code[:8]}:{account}"
    )


def _card(values: dict[str, str]) -> Destination:
    if not values["token"] or not re.fullmatch(r"\d{4}", values["last4"]):
        raise BadDestination("A card is known by the PSP's token and its last four digits.")
    if re.fullmatch(r"\d{12,19}", values["token"].replace(" ", "")):
        raise BadDestination("That is a card number, not a token. Card numbers are not kept here.")
    return Destination(values, f"{values['brand'] or 'card'} …{values['last4']}", values["token"])


def _ewallet(values: dict[str, str]) -> Destination:
    address = values["address"].casefold()
    if len(address) < 3:
        raise BadDestination("Give the address or number by which the e-wallet is known.")
    shown = address if "@" not in address else f"{address[0]}…@{address.partition('@')[2]}"
    return Destination({"address": values["address"]}, shown, address)


def _crypto(values: dict[str, str]) -> Destination:
    network, address = values["network"].upper(), values["address"]
    if network not in NETWORKS:
        raise BadDestination(f"The network is one of {', '.join(NETWORKS)}.")
    if not _CHECKS[network](address):
        raise BadDestination(f"That is no {NETWORKS[network]} address: its check does not fit. Compare every letter.")
    identity = address.lower() if network == "ETH" else address
    return Destination(
        {**values, "network": network}, f"{network} {address[:4]}…{address[-4:]}", f"{network}:{identity}"
    )


def _base58(text: str) -> bytes:
    """Payload of base58check, empty where the check does not fit."""
    number = 0
    for letter in text:
        place = _BASE58.find(letter)
        if place < 0:
            return b""
        number = number * 58 + place
    raw = number.to_bytes(max(25, (number.bit_length() + 7) // 8), "big")
    payload, check = raw[:-4], raw[-4:]
    return payload if hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] == check else b""


def _bitcoin(text: str) -> bool:
    if text.lower().startswith("bc1"):
        return _bech32(text)
    payload = _base58(text)
    return len(payload) == 21 and payload[0] in (0x00, 0x05)


def _tron(text: str) -> bool:
    payload = _base58(text)
    return len(payload) == 21 and payload[0] == 0x41


def _bech32(text: str) -> bool:
    """BIP 173 and 350: the checksum is 1 for version 0, 0x2bc830a3 for later ones."""
    if text not in (text.lower(), text.upper()) or not 14 <= len(text) <= 90:
        return False
    human, _, data = text.lower().rpartition("1")
    values = [_BECH32.find(letter) for letter in data]
    if human != "bc" or -1 in values:
        return False
    check = 1
    for value in [*(ord(c) >> 5 for c in human), 0, *(ord(c) & 31 for c in human), *values]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, mask in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= mask if (top >> bit) & 1 else 0
    return check == (1 if values[0] == 0 else 0x2BC830A3)


def _ethereum(text: str) -> bool:
    return re.fullmatch(r"0x[0-9a-fA-F]{40}", text) is not None


def _long_enough(text: str) -> bool:
    return len(text) > 10


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "BTC": _bitcoin,
    "ETH": _ethereum,
    "TRON": _tron,
    "OTHER": _long_enough,
}
