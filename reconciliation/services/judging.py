"""How well the ladder did on files whose truth is labelled: class found against class labelled.

The label is read here, from the file itself and by line number, after the comparison is stored. No profile names its
column, so that it is nowhere in what the ladder sees.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from reconciliation.models import ComparedLine, Comparison, OutsideFile
from reconciliation.services.files import LINKED, MATCHED

# What a line may be and still be matched; anything else that is matched is a false match.
MATCHABLE = frozenset({"MATCHED", "TOLERANCE", "LATE", "FEE", "REFERENCE", "PAIRED", LINKED})


@dataclass(frozen=True, slots=True)
class Score:
    """One class: lines labelled so, found so, and both. Precision and recall are None where they say nothing."""

    klass: str
    labelled: int
    found: int
    right: int

    @property
    def precision(self) -> Decimal | None:
        return Decimal(self.right) / self.found if self.found else None

    @property
    def recall(self) -> Decimal | None:
        return Decimal(self.right) / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A labelled file judged. `table` counts (label, class labelled, class found); `false_matches` are lines that
    matched by themselves and should not have."""

    source: str
    lines: int
    right: int
    table: Mapping[tuple[str, str, str], int]
    scores: Sequence[Score]
    false_matches: Sequence[int]

    @property
    def agreement(self) -> Decimal:
        return Decimal(self.right) / self.lines if self.lines else Decimal(0)


def judge(
    *, folder: Path, spec: Mapping[str, Any], files: Mapping[str, OutsideFile], made: Sequence[Comparison]
) -> list[Verdict]:
    """Every labelled source of a set."""
    return [
        _verdict(source, spec["labels"][source], labels_of(folder / file.name, spec["labels"][source]["column"]), found)
        for source, file in files.items()
        if source in spec.get("labels", {})
        for found in [_found(file, made, spec["labels"][source])]
    ]


def labels_of(path: Path, column: str) -> dict[int, str]:
    """The label of each line: by the line's number in a CSV, by the object's in JSON."""
    body = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        return {number: str(row[column]) for number, row in enumerate(json.loads(body), start=1)}
    reader = csv.DictReader(io.StringIO(body))
    found = {}
    for row in reader:
        found[reader.line_num] = row[column]
    return found


def class_of(line: ComparedLine) -> str:
    """One word for what the ladder said of a line: the class, or how it matched."""
    if line.klass != MATCHED:
        return line.klass
    if line.also:
        return str(line.also[0])
    if line.difference:
        return "TOLERANCE"
    if line.evidence.get("late"):
        return "LATE"
    return "REFERENCE" if line.rung == "REFERENCE" else MATCHED


def _found(file: OutsideFile, made: Sequence[Comparison], label: Mapping[str, Any]) -> dict[int, str]:
    """Class by line number, from the comparisons that judge this source; of several, a match goes first."""
    found: dict[int, str] = {}
    for name in label["by"]:
        (one,) = (c for c in made if c.spec["name"] == name)
        for row in one.lines.filter(line__file=file).select_related("line"):
            known = found.get(row.line.line)
            if known is None or known not in MATCHABLE:
                found[row.line.line] = class_of(row)
    return found


def _verdict(source: str, label: Mapping[str, Any], labels: Mapping[int, str], found: Mapping[int, str]) -> Verdict:
    truth: Mapping[str, str] = label["classes"]
    table: Counter[tuple[str, str, str]] = Counter()
    false_matches = []
    for line, said in labels.items():
        wanted, got = truth[said], found.get(line, "NOT_READ")
        # A source may have fewer words than the ladder: its label says "matched" and no more.
        if got in MATCHABLE and wanted not in MATCHABLE:
            false_matches.append(line)
        got = label.get("as", {}).get(got, got)
        table[said, wanted, got] += 1
    classes = sorted({wanted for _, wanted, _ in table} | {got for _, _, got in table})
    scores = [
        Score(
            klass,
            sum(n for (_, wanted, _), n in table.items() if wanted == klass),
            sum(n for (_, _, got), n in table.items() if got == klass),
            sum(n for (_, wanted, got), n in table.items() if wanted == got == klass),
        )
        for klass in classes
    ]
    right = sum(n for (_, wanted, got), n in table.items() if wanted == got)
    return Verdict(source, len(labels), right, dict(table), scores, false_matches)
