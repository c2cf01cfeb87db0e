"""Payment files for what is not SEPA: pain.001.001.09 for SWIFT payments and domestic ones in other currencies.

Addresses are hybrid (TwnNm and Ctry as elements, at most two AdrLine beside them), because wholly unstructured ones
are refused across borders since November 2026.
"""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

from payments.adapters.letters import NAMESPACE, checked, plain, required
from payments.records import BadFile, Order, Party, Transfer

_NAME, _LINE, _TOWN, _TEXT = 140, 70, 35, 140


def build(order: Order) -> bytes:
    """The file. Raises BadFile for what no bank could carry out, or what the schema refuses."""
    document = etree.Element("Document", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    root = _add(document, "CstmrCdtTrfInitn")
    count, total = str(len(order.transfers)), written(order.total, order)
    head = _add(root, "GrpHdr")
    _add(head, "MsgId", order.message_id)
    _add(head, "CreDtTm", order.created_at.strftime("%Y-%m-%dT%H:%M:%S"))
    _add(head, "NbOfTxs", count)
    _add(head, "CtrlSum", total)
    _add(_add(head, "InitgPty"), "Nm", required(order.payer.name, _NAME, "The payer's name"))
    batch = _add(root, "PmtInf")
    _add(batch, "PmtInfId", order.batch_id)
    _add(batch, "PmtMtd", "TRF")
    _add(batch, "BtchBookg", "true")
    _add(batch, "NbOfTxs", count)
    _add(batch, "CtrlSum", total)
    _add(_add(batch, "ReqdExctnDt"), "Dt", order.execution_date.isoformat())
    _party(_add(batch, "Dbtr"), order.payer, "The payer's name")
    _account(_add(batch, "DbtrAcct"), order.payer, order.currency)
    _bank(batch, "DbtrAgt", order.payer)
    _add(batch, "ChrgBr", order.charges)
    for transfer in order.transfers:
        _transfer(_add(batch, "CdtTrfTxInf"), transfer, order)
    return checked(etree.tostring(document, xml_declaration=True, encoding="UTF-8"))


def written(amount: Decimal, order: Order) -> str:
    """With exactly the decimal places of the currency. Raises BadFile where that would round."""
    if amount <= 0 or amount != round(amount, order.exponent):
        raise BadFile(
            f"{amount} {order.currency} cannot be paid: {order.currency} has {order.exponent} decimal places."
        )
    return f"{amount:.{order.exponent}f}"


def _transfer(at: etree._Element, transfer: Transfer, order: Order) -> None:
    _add(_add(at, "PmtId"), "EndToEndId", transfer.end_to_end_id)
    _add(_add(at, "Amt"), "InstdAmt", written(transfer.amount, order)).set("Ccy", order.currency)
    if transfer.payee.bic or transfer.payee.clearing_member:
        _bank(at, "CdtrAgt", transfer.payee)
    elif not transfer.payee.iban:
        raise BadFile(f"{transfer.end_to_end_id}: an account without IBAN needs the BIC of its bank.")
    _party(_add(at, "Cdtr"), transfer.payee, f"{transfer.end_to_end_id}: the payee's name")
    _account(_add(at, "CdtrAcct"), transfer.payee)
    _add(_add(at, "RmtInf"), "Ustrd", required(transfer.text, _TEXT, f"{transfer.end_to_end_id}: the text"))


def _party(at: etree._Element, party: Party, what: str) -> None:
    _add(at, "Nm", required(party.name, _NAME, what))
    address = _add(at, "PstlAdr")
    _add(address, "TwnNm", required(party.town, _TOWN, f"{what}: the town"))
    _add(address, "Ctry", party.country)
    for line in list(party.lines)[:2]:
        said = plain(line, _LINE)
        if said:
            _add(address, "AdrLine", said)


def _account(at: etree._Element, party: Party, currency: str = "") -> None:
    where = _add(at, "Id")
    if party.iban:
        _add(where, "IBAN", party.iban)
    else:
        _add(_add(where, "Othr"), "Id", party.number)
    if currency:
        _add(at, "Ccy", currency)


def _bank(at: etree._Element, name: str, party: Party) -> None:
    bank = _add(_add(at, name), "FinInstnId")
    if party.bic:
        _add(bank, "BICFI", party.bic)
    if party.clearing_member:
        member = _add(bank, "ClrSysMmbId")
        if party.clearing_system:
            _add(_add(member, "ClrSysId"), "Cd", party.clearing_system)
        _add(member, "MmbId", party.clearing_member)


def _add(at: etree._Element, name: str, text: str | None = None) -> etree._Element:
    found = etree.SubElement(at, f"{{{NAMESPACE}}}{name}")
    found.text = text
    return found
