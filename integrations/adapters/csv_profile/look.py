"""A whole small file by a profile, field by field: for looking at a profile, and for ledgers of other houses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from integrations.adapters.csv_profile import profile as profiles
from integrations.adapters.csv_profile.mapping import MappedRows
from integrations.adapters.csv_profile.reader import READER
from integrations.adapters.reading import Findings
from integrations.records import ControlTotal, Rejected

_HIDDEN = ("details", "line_key")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read: each row's line (the number of the object in JSON) and its fields by name, and what could not be.

    Of a PSP or a bank the fields are those of its records; of a ledger those of its profile: texts, Decimals (signed:
    money to the account is positive), UTC moments and days.
    """

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    rejected: Sequence[Rejected]
    totals: Sequence[ControlTotal]
    warnings: Sequence[str]


def look(*, profile: str, stream: IO[bytes], filename: str) -> Looked:
    """Read a file by a profile (JSON). Raises Unreadable for a profile that cannot be and a file it does not fit."""
    found = profiles.read(profile)
    if found.kind != "ledger":
        parsed = READER.parse(stream, filename=filename, settings={"profile": profile})
        rows = [
            (line, {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in _HIDDEN})
            for line, record in zip(parsed.lines, parsed.records, strict=True)
        ]
        return Looked(rows, parsed.rejected, parsed.control_totals, parsed.warnings)
    findings = Findings()
    mapped = MappedRows(stream, filename=filename, profile=found, findings=findings)
    rows = [(row.line, dict(row.values)) for row in mapped]
    return Looked(rows, findings.rejected(), (), findings.warnings())
