"""The ladder over files whose truth is labelled: how much it agrees, and that it never sees the label."""

from __future__ import annotations

import csv
import io
import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from reconciliation.models import ComparedLine, Comparison, OutsideFile, OutsideLine
from reconciliation.services import files, judging
from tests.builders import ROBOT, entity
from tests.labelled import SETS, folder_of, spec_of

pytestmark = pytest.mark.django_db
PRIMARY = {"01": "acquirer", "02": "bank"}


def run(folder: Path, number: str):
    spec = spec_of(number)
    return spec, *files.load_set(actor=ROBOT, entity_id=entity("CY").pk, folder=folder, spec=spec)


@pytest.mark.parametrize("number", ["01", "02"])
def test_the_ladder_agrees_with_the_labels_and_matches_nothing_falsely(number):
    folder = folder_of(number)
    spec, loaded, made = run(folder, number)
    verdicts = judging.judge(folder=folder, spec=spec, files=loaded, made=made)
    assert all(verdict.false_matches == [] for verdict in verdicts)
    assert sum(v.right for v in verdicts) >= sum(v.lines for v in verdicts) * Decimal("0.95")
    (primary,) = (v for v in verdicts if v.source == PRIMARY[number])
    assert primary.lines == 1000 and primary.agreement >= Decimal("0.95")
    assert {v.lines for v in verdicts} == {1000} and not any(file.rejected for file in loaded.values())


def stored(made) -> dict:
    """What came out, by the lines' numbers in their files."""
    rows = ComparedLine.objects.filter(comparison__in=made).select_related("line", "line__file", "comparison")
    number = dict(OutsideLine.objects.values_list("pk", "line"))
    return {
        (row.comparison.spec["name"], row.line.file.name, row.line.line): (
            row.klass, row.rung, sorted(number[pk] for pk in row.others), row.difference, row.also
        )
        for row in rows
    }  # fmt: skip


def poisoned(folder: Path, to: Path, poison) -> Path:
    """The same files with every label run through `poison`."""
    to.mkdir()
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8-sig")
        rows = json.loads(text) if path.suffix == ".json" else list(csv.DictReader(io.StringIO(text)))
        labels = poison([row["scenario"] for row in rows])
        for row, label in zip(rows, labels, strict=True):
            row["scenario"] = label
        if path.suffix == ".json":
            (to / path.name).write_text(json.dumps(rows))
            continue
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        (to / path.name).write_text(out.getvalue())
    return to


def shuffled(labels: list[str]) -> list[str]:
    return random.Random(7).sample(labels, len(labels))


def ruined(labels: list[str]) -> list[str]:
    return [f"DUPLICATE AMOUNT {n} REF-C02-{n:06}" for n in range(len(labels))]


@pytest.mark.parametrize("poison", [shuffled, ruined], ids=["shuffled", "ruined"])
@pytest.mark.parametrize("number", ["01", "02"])
def test_the_label_is_never_read_by_what_matches(number, poison, tmp_path):
    folder = folder_of(number)
    _, _, clean = run(folder, number)
    _, _, dirty = run(poisoned(folder, tmp_path / "poisoned", poison), number)
    assert {c.pk for c in clean}.isdisjoint({c.pk for c in dirty})
    assert stored(clean) == stored(dirty)
    assert not OutsideLine.objects.filter(said__has_key="scenario").exists()


def test_the_same_again_adds_nothing_and_a_replay_of_what_is_stored_says_the_same():
    folder = folder_of("02")
    _, _, made = run(folder, "02")
    models = (OutsideFile, OutsideLine, Comparison, ComparedLine)
    before = [model.objects.count() for model in models]
    _, _, again = run(folder, "02")
    assert [model.objects.count() for model in models] == before
    assert [c.pk for c in again] == [c.pk for c in made]
    fields = ("line_id", "klass", "rung", "others", "difference", "also", "evidence")
    for one in made:
        replayed = {row.line_id: [getattr(row, f) for f in fields] for row in files.outcome(one)}
        assert replayed == {row.line_id: [getattr(row, f) for f in fields] for row in one.lines.all()}


def test_the_command_prints_the_table(capsys):
    entity("CY")
    call_command("reconcile", "files", set=SETS / "context-02.json", folder=folder_of("02"), entity="CY")
    said = capsys.readouterr().out
    assert "bank (bank-statement.csv): 1000 of 1000 lines as labelled (1.0000), 0 false matches" in said
    assert "duplicate_bank_line" in said and "precision" in said


def test_scores_add_up():
    folder = folder_of("01")
    spec, loaded, made = run(folder, "01")
    for verdict in judging.judge(folder=folder, spec=spec, files=loaded, made=made):
        assert sum(s.labelled for s in verdict.scores) == sum(s.found for s in verdict.scores) == verdict.lines
        assert (
            sum(s.right for s in verdict.scores)
            == verdict.right
            == verdict.lines - sum(n for (_, wanted, got), n in verdict.table.items() if wanted != got)
        )


def test_a_judge_that_is_told_nonsense_finds_false_matches(tmp_path):
    """The check itself can fail: with labels turned round, what matched is called a mismatch."""
    folder = folder_of("02")
    turned = {"bank_statement_match_candidate": "duplicate_bank_line"}
    other = poisoned(folder, tmp_path / "turned", lambda labels: [turned.get(label, label) for label in labels])
    spec, loaded, made = run(other, "02")
    verdicts = {v.source: v for v in judging.judge(folder=other, spec=spec, files=loaded, made=made)}
    assert len(verdicts["bank"].false_matches) == 722
