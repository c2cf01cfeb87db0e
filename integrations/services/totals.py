"""Control totals over two files: a payout in one, its lines in another that is stored already.

A reader sees its own file only. Where a PSP says in one report what it paid out and in another of what that is made,
neither proves itself; the sum over what is stored and what came does, and the second of the two files is held when it
does not. The same total replaces the reader's own for a payout whose lines are spread over several files.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from django.db.models import Exists, OuterRef

from integrations import registry
from integrations.models import Connection, PspLine, Superseded
from integrations.records import Parsed
from integrations.records import PspLine as Line


def with_stored(connection: Connection, parsed: Parsed) -> Parsed:
    """What was read, its control totals of payouts taken over what is stored of them too."""
    if connection.adapter not in registry.PAYOUTS_APART:
        return parsed
    keys = {line.payout_key for line in parsed.records if isinstance(line, Line) and line.payout_key}
    if not keys:
        return parsed
    replaced = {_mark(line.line_key) for line in parsed.records if isinstance(line, Line)}
    sums = registry.PayoutSums()
    spread: set[tuple[str, str]] = set()
    newer = Superseded.objects.filter(fact_kind="psp", fact_id=OuterRef("id"))
    stored = PspLine.objects.filter(~Exists(newer), connection=connection, payout_key__in=keys).order_by()
    for key, payout, currency, net, kind in stored.values_list(
        "line_key", "payout_key", "currency", "net", "kind"
    ).iterator():
        if _mark(key) not in replaced:
            spread.add((payout, currency))
            sums.add(payout, currency, net, is_payout=kind == "PAYOUT")
    if not spread:
        return parsed
    for line in parsed.records:
        if isinstance(line, Line) and (line.payout_key, line.currency) in spread:
            sums.add_line(line)
    found = {total.name: total for total in sums.totals()}
    own = [found.pop(total.name, total) for total in parsed.control_totals]
    return replace(parsed, control_totals=[*own, *found.values()])


def _mark(key: str) -> bytes:
    """Eight bytes of a key: a file of a million lines must not stand here as texts."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
