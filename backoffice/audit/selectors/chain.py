"""Recompute the whole log: heads outside, seals, batches, rows. Names what does not hold, the first bad row first.

Nothing here believes a trigger, a cursor or a stored hash by itself: rows are compared with the hashes in their
batch, these with the root, the root with the signed statement, the statement with its copy outside the database.
Rows are streamed, one batch at a time, so memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from backoffice.audit import heads, merkle, signing, streams
from backoffice.audit.heads import Head
from backoffice.audit.models import Batch, Cursor, Seal
from backoffice.audit.selectors.rows import BESIDE, CHANGED, GONE, StreamCheck
from backoffice.kernel import clock
from backoffice.kernel.findings import Finding

OUTSIDE = "the heads outside the database form one signed chain"
CUT = "the database goes on where the heads outside end"
SEAL = "a seal is what was signed, and what stands outside"
BATCH = "a batch is what was sealed"
BEHIND = "new rows are sealed, and their heads kept outside, within a minute"
MOST = 50
LATE_AFTER = timedelta(minutes=1)
# Every seal names the one before by its hash, so one good signature vouches for all before it. The newest are
# checked one by one, the older ones by their hashes.
SIGNATURES = 10_000

Progress = Callable[[str, int], None]


@dataclass
class Report:
    """What was found and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    seals: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    last_head: str = ""

    @property
    def first_bad(self) -> Finding | None:
        """The first bad row; where no row is bad, the first thing that does not hold."""
        about_rows = [finding for finding in self.findings if finding.rule in (CHANGED, GONE, BESIDE)]
        return next(iter(about_rows or self.findings), None)

    def result(self) -> dict[str, Any]:
        """All of it as plain values."""
        first = self.first_bad
        return {
            "clean": not self.findings,
            "first_bad": f"{first.subject}: {first.detail}" if first else "",
            "findings": [{"rule": f.rule, "subject": f.subject, "detail": f.detail} for f in self.findings],
            "seals": self.seals,
            "rows": self.rows,
            "waiting": self.waiting,
            "head": self.last_head,
        }

    def add(self, rule: str, subject: str, detail: str) -> None:
        if sum(finding.rule == rule for finding in self.findings) < MOST:
            self.findings.append(Finding(rule, subject, detail))


@transaction.atomic
def check(progress: Progress = lambda step, percent: None) -> Report:
    """Verify everything that is sealed."""
    report = Report()
    trusted = signing.trusted()
    progress("heads outside", 2)
    outside = [_outside(number, target, trusted, report) for number, target in enumerate(heads.targets(), 1)]
    progress("seals", 5)
    _seals(outside, trusted, report)
    known = {stream.name for stream in streams.registered()}
    names = sorted(known | set(Batch.objects.values_list("stream", flat=True).distinct()))
    for number, name in enumerate(names):
        progress(name, 10 + 90 * number // len(names))
        _stream(name, report)
    _behind(report)
    return report


def _outside(number: int, target: heads.Target, trusted: frozenset[str], report: Report) -> dict[int, str]:
    """The chain as it stands in one target: number -> head."""
    found: dict[int, str] = {}
    before: Head | None = None
    newest = target.last()
    for head in target.read():
        place = f"head {head.number} in target {number}"
        if signing.head(head.statement) != head.head:
            report.add(OUTSIDE, place, "is not the hash of its statement")
        content = Seal(statement=head.statement).content()
        if content.get("number") != head.number:
            report.add(OUTSIDE, place, f"stands under another number than its statement ({content.get('number')})")
        if before is not None and (head.number != before.number + 1 or content.get("previous") != before.head):
            report.add(OUTSIDE, place, f"does not follow head {before.number}")
        if newest is None or head.number > newest.number - SIGNATURES:
            _signature(OUTSIDE, place, (head.statement, head.signature, head.key), trusted, report)
        found[head.number] = head.head
        before = head
    return found


def _signature(rule: str, place: str, signed: tuple[str, str, str], trusted: frozenset[str], report: Report) -> None:
    text, signature, key = signed
    if key not in trusted:
        report.add(rule, place, f"is signed by a key that is not ours: {key}")
    elif not signing.signed_by(text, signature, key):
        report.add(rule, place, "has a signature that does not fit")


def _seals(outside: list[dict[int, str]], trusted: frozenset[str], report: Report) -> None:
    """The chain in the database: its own links, and against each target."""
    number, head = 0, signing.START
    newest = Seal.objects.order_by("-number").values_list("number", flat=True).first() or 0
    for seal in Seal.objects.order_by("number").iterator(chunk_size=2_000):
        place = f"seal {seal.number}"
        content = seal.content()
        if seal.number != number + 1 or seal.previous != head:
            report.add(SEAL, place, f"does not follow seal {number}")
        if signing.head(seal.statement) != seal.head:
            report.add(SEAL, place, "its head is not the hash of its statement")
        if (content.get("number"), content.get("previous")) != (seal.number, seal.previous):
            report.add(SEAL, place, "its statement says another number or another seal before it")
        if content.get("at") != seal.at.isoformat():
            report.add(SEAL, place, "its statement says another time")
        if seal.number > newest - SIGNATURES:
            _signature(SEAL, place, (seal.statement, seal.signature, seal.key), trusted, report)
        for target, known in enumerate(outside, 1):
            if seal.number in known and known[seal.number] != seal.head:
                report.add(SEAL, place, f"target {target} outside has another head for this number")
        number, head = seal.number, seal.head
        report.seals += 1
    report.last_head = head if number else ""
    for target, known in enumerate(outside, 1):
        if known and max(known) > number:
            report.add(
                CUT,
                f"seal {number + 1}",
                f"is missing: target {target} outside has heads up to {max(known)}, the database up to {number}; "
                "its end was cut off, or it is an older copy",
            )
        first_unsaid = Seal.objects.filter(number=max(known, default=0) + 1).first()
        if first_unsaid is not None and clock.now() - first_unsaid.at > LATE_AFTER:
            report.add(BEHIND, f"seal {first_unsaid.number}", f"and later ones do not stand in target {target} outside")


def _stream(name: str, report: Report) -> None:
    """Batches of one stream against their seals, and rows against their batches."""
    newest = Batch.objects.filter(stream=name).order_by("-first").values_list("first", flat=True).first() or 0
    check = StreamCheck(name, newest, report.add)
    position = 1
    for batch in check.batches():
        place = f"batch of seal {batch.seal_id}, {name} {batch.first}-{batch.first + batch.count - 1}"
        if [part for part in batch.seal.content().get("streams", []) if part.get("stream") == name] != [batch.said()]:
            report.add(BATCH, place, "its seal says otherwise")
        if batch.first != position:
            report.add(BATCH, place, f"position {position} was expected")
        leaves = batch.leaves()
        if len(leaves) != batch.count or len(batch.keys) != batch.count or batch.keys != sorted(set(batch.keys)):
            report.add(BATCH, place, "does not have as many rows, in their order, as it says")
        elif merkle.root(leaves).hex() != batch.root:
            report.add(BATCH, place, "its hashes do not give the root")
        check.take(batch)
        position = batch.first + batch.count
    for missing in _missing_batches(name):
        report.add(BATCH, f"seal {missing}", f"has a batch of {name} that is gone")
    check.finish()
    report.rows[name] = check.rows
    report.waiting += check.waiting


def _missing_batches(name: str) -> list[int]:
    """Seals whose statement speaks of a batch that is not there."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, [name, f'%"stream":"{name}"%', MOST])
        return [number for (number,) in cursor.fetchall()]


def _behind(report: Report) -> None:
    """Whether the sealer runs. A database that has never been sealed is not behind."""
    newest = Seal.objects.order_by("-number").values_list("number", flat=True).first()
    at = max((row.at for row in Cursor.objects.all() if row.at), default=None)
    if report.waiting and newest and at is not None and clock.now() - at > LATE_AFTER:
        report.add(
            BEHIND, f"{report.waiting} rows", f"wait for their seal; the last pass was at {at:%Y-%m-%d %H:%M:%S}"
        )


_MISSING = """
SELECT s.number FROM audit_seal s
  LEFT JOIN audit_batch b ON b.seal_id = s.number AND b.stream = %s
 WHERE b.id IS NULL AND s.statement LIKE %s ORDER BY s.number LIMIT %s
"""
