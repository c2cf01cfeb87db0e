"""Status reports of banks on payment files: pain.002.001.03 to .15, read without trusting them.

A file with a DOCTYPE, too large, cut off or of another kind is refused whole. Statuses stand at three levels: the
message (GrpSts), a batch (PmtInfSts) and a payment (TxSts), each with codes of reasons (StsRsnInf/Rsn/Cd or Prtry).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import IO

from lxml import etree

from backoffice.kernel import money
from payments.records import BadFile, StatusReport, TransferStatus

MOST = 10 * 1024 * 1024
GROUP = frozenset({"ACTC", "ACCP", "ACSP", "ACSC", "ACWC", "RCVD", "PDNG", "PART", "RJCT"})
# Which say that the bank took it; PDNG and RCVD say that it is looking.
TAKEN = frozenset({"ACTC", "ACCP", "ACSP", "ACSC", "ACWC"})
REFUSED = "RJCT"
_SPACE = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.(0[3-9]|1[0-5])\}Document")
_CODE = re.compile(r"[A-Za-z0-9 ._/-]{1,35}")


def read(stream: IO[bytes]) -> StatusReport:
    """The report. Raises BadFile."""
    content = stream.read(MOST + 1)
    if len(content) > MOST:
        raise BadFile(f"The file is larger than {MOST // 1024 // 1024} MB. A status report never is; ask the bank.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadFile(f"The file is no whole XML: {error}. Fetch it again.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadFile(
            "The file has a DOCTYPE, which no status report needs. Do not open it; ask the bank what it sent."
        )
    if not isinstance(root.tag, str) or not _SPACE.fullmatch(root.tag):
        raise BadFile("The file is no pain.002 status report. Import statements under Imports.")
    return _Reader(root).report()


class _Reader:
    """Walks one document in its own namespace; what stands somewhere else is not read."""

    def __init__(self, root: etree._Element) -> None:
        self._space = root.tag[: root.tag.index("}") + 1]
        self._root = root

    def report(self) -> StatusReport:
        group = self._one(self._root, "CstmrPmtStsRpt/OrgnlGrpInfAndSts")
        if group is None:
            raise BadFile("The report does not say which message it is about (OrgnlGrpInfAndSts).")
        number, total = self._text(group, "OrgnlNbOfTxs"), self._text(group, "OrgnlCtrlSum")
        batches, transfers = [], []
        for batch in self._all(self._root, "CstmrPmtStsRpt/OrgnlPmtInfAndSts"):
            status = self._status(batch, "PmtInfSts")
            if status:
                batches.append((self._text(batch, "OrgnlPmtInfId"), status, self._reasons(batch)))
            transfers += [self._transfer(row) for row in self._all(batch, "TxInfAndSts")]
        return StatusReport(
            message_id=self._text(self._root, "CstmrPmtStsRpt/GrpHdr/MsgId"),
            order_id=self._text(group, "OrgnlMsgId"),
            status=self._status(group, "GrpSts"),
            reasons=self._reasons(group),
            number=int(number) if number.isascii() and number.isdigit() else None,
            total=_amount(total) if total else None,
            batches=batches,
            transfers=transfers,
        )

    def _transfer(self, row: etree._Element) -> TransferStatus:
        said = self._one(row, "OrgnlTxRef/Amt/InstdAmt")
        return TransferStatus(
            end_to_end_id=self._text(row, "OrgnlEndToEndId"),
            status=self._status(row, "TxSts"),
            reasons=self._reasons(row),
            text=" ".join(found.text or "" for found in self._all(row, "StsRsnInf/AddtlInf"))[:300],
            amount=_amount(said.text or "") if said is not None else None,
            currency=said.get("Ccy", "") if said is not None else "",
        )

    def _status(self, at: etree._Element, name: str) -> str:
        found = self._text(at, name)
        if found and found not in GROUP:
            raise BadFile(f"{name} says {found[:20]!r}, which is none of {', '.join(sorted(GROUP))}. Ask the bank.")
        return found

    def _reasons(self, at: etree._Element) -> Sequence[str]:
        codes = [*self._all(at, "StsRsnInf/Rsn/Cd"), *self._all(at, "StsRsnInf/Rsn/Prtry")]
        said = [(found.text or "").strip() for found in codes]
        return tuple(dict.fromkeys(code for code in said if _CODE.fullmatch(code)))

    def _all(self, at: etree._Element, path: str) -> list[etree._Element]:
        return at.findall("/".join(self._space + name for name in path.split("/")))

    def _one(self, at: etree._Element, path: str) -> etree._Element | None:
        return next(iter(self._all(at, path)), None)

    def _text(self, at: etree._Element, path: str) -> str:
        found = self._one(at, path)
        return (found.text or "").strip()[:140] if found is not None else ""


def _amount(text: str) -> Decimal:
    try:
        return money.parse(text.strip(), field="amount")
    except money.BadAmount as error:
        raise BadFile(f"The amount {text[:40]!r} is none. Ask the bank.") from error
