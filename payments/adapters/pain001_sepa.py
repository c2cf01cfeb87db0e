"""Payment files for SEPA credit transfers in euro, written by the package sepaxml (pain.001.001.09).

The package makes up the ids and the time of a message; ours are put in their places, so that the same order gives the
same bytes, and the result is held against the schema.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException
from sepaxml.transfer import SepaTransfer

from payments.adapters.letters import FORMAT, NAMESPACE, checked, plain, required
from payments.records import BadFile, Order, Party, Transfer

# What SEPA rule books allow (EPC115-06): shorter names than ISO 20022 does.
_NAME, _LINE, _TOWN, _TEXT = 70, 70, 35, 140
_CENTS = 100


def build(order: Order) -> bytes:
    """The file. Raises BadFile for what SEPA does not carry or the schema refuses."""
    if order.currency != "EUR":
        raise BadFile(f"SEPA pays euro, not {order.currency}.")
    payer = order.payer
    _iban(payer, "The account that pays")
    config: dict[str, Any] = {
        "name": required(payer.name, _NAME, "The payer's name"),
        "IBAN": payer.iban,
        "batch": True,
        "currency": "EUR",
        "address": _address(payer),
        **({"BIC": payer.bic} if payer.bic else {}),
    }
    made = SepaTransfer(config, schema=FORMAT, clean=True)
    for transfer in order.transfers:
        made.add_payment(_payment(transfer, order))
    return checked(_with_our_ids(made.export(validate=False), order))


def _payment(transfer: Transfer, order: Order) -> dict[str, Any]:
    payee, where = transfer.payee, transfer.end_to_end_id
    _iban(payee, where)
    cents = transfer.amount * _CENTS
    if cents <= 0 or cents != int(cents):
        raise BadFile(f"{where}: {transfer.amount} EUR cannot be paid, a euro has a hundred cents.")
    return {
        "name": required(payee.name, _NAME, f"{where}: the payee's name"),
        "IBAN": payee.iban,
        "amount": int(cents),
        "execution_date": order.execution_date,
        "description": required(transfer.text, _TEXT, f"{where}: the text"),
        "endtoend_id": where,
        "address": _address(payee),
        **({"BIC": payee.bic} if payee.bic else {}),
    }


def _address(party: Party) -> dict[str, Any]:
    lines = [said for said in (plain(line, _LINE) for line in list(party.lines)[:2]) if said]
    return {"town": plain(party.town, _TOWN), "country": party.country, "lines": lines}


def _iban(party: Party, what: str) -> None:
    try:
        known = IBAN(party.iban)
    except SchwiftyException as error:
        raise BadFile(
            f"{what} has no IBAN that is right, which SEPA needs. Pay it in a file that is not SEPA."
        ) from error
    if not known.in_sepa_zone:
        raise BadFile(f"{what}: {known.country_code} is not in SEPA. Pay it in a file that is not SEPA.")


def _with_our_ids(content: bytes, order: Order) -> bytes:
    tree = etree.fromstring(content)
    ours = {
        "GrpHdr/MsgId": order.message_id,
        "GrpHdr/CreDtTm": order.created_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "PmtInf/PmtInfId": order.batch_id,
    }
    for path, text in ours.items():
        steps = "/".join(f"{{{NAMESPACE}}}{name}" for name in ("CstmrCdtTrfInitn", *path.split("/")))
        places = tree.findall(steps)
        assert len(places) == 1, f"{path} stands {len(places)} times in a file of one batch"
        places[0].text = text
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")
