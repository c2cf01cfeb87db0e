"""An export proves itself to somebody who has the script, the public key and the heads, and not our code."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit import signing
from backoffice.audit.models import Entry, Seal
from backoffice.audit.services import export, sealing
from backoffice.kernel import clock
from tests.attacks import open_books
from tests.builders import ROBOT

pytestmark = pytest.mark.django_db
TARGET = "accounts.client:5"


@pytest.fixture
def folder(settings: object, tmp_path: Path) -> Path:
    settings.SEAL_HEADS = tmp_path / "heads"  # type: ignore[attr-defined]
    open_books()
    for n in range(5):
        with transaction.atomic():
            audit.record(actor=ROBOT, action="test.done", data={"n": n, "text": "ünï\n\\"})
            audit.record(actor=ROBOT, action="client.suspended", target=TARGET, data={"n": n})
        sealing.seal(most=3)
    return tmp_path


def exported(folder: Path, *arguments: str) -> Path:
    today, path = clock.today().isoformat(), folder / "export.jsonl"
    call_command(
        "audit", "export", "--from", today, "--to", today, "--out", str(path), *arguments, stdout=io.StringIO()
    )
    return path


def verified(path: Path, *arguments: str, key: str = "") -> tuple[int, str]:
    """Run the script that lies beside the export, with nothing of ours to import."""
    key = key or signing.public_text(signing.private_key())
    done = subprocess.run(
        [sys.executable, "-I", str(path.with_name("verify_export.py")), str(path), "--key", key, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=path.parent,
        env={},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def changed(path: Path, place: int, **values: object) -> Path:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[place] = {**lines[place], **values}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_script_is_short_and_needs_nothing_of_ours() -> None:
    text = export.SCRIPT.read_text()
    assert len(text.splitlines()) < 150
    assert "backoffice." not in text.replace("backoffice-audit-1", "") and "django" not in text


def test_a_whole_export_verifies(folder: Path) -> None:
    path = exported(folder)
    code, said = verified(path, "--heads", str(folder / "heads"))
    assert (code, "everything holds" in said, "(whole range)" in said) == (0, True, True), said
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["stream"] for row in rows if row["type"] == "row"} >= {"audit.entries", "ledger.journals"}
    assert sum(row["type"] == "head" for row in rows) == Seal.objects.count()
    assert Entry.objects.filter(action="audit.exported").count() == 1


def test_one_decision_from_entry_to_signed_head(folder: Path) -> None:
    path = exported(folder, "--target", TARGET)
    rows = [json.loads(line) for line in path.read_text().splitlines() if '"type":"row"' in line]
    assert len(rows) == 5
    assert {json.loads(row["leaf"])["target"] for row in rows} == {TARGET}
    code, said = verified(path, "--heads", str(folder / "heads"))
    assert (code, "5 good rows (chosen rows)" in said) == (0, True), said
    (one,) = {row["key"] for row in rows[:1]}
    exported(folder, "--stream", "audit.entries", "--key", str(one))
    assert "1 good rows" in verified(path)[1]


def test_what_was_changed_on_the_way_is_named(folder: Path) -> None:
    path = exported(folder)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whole = path.read_text()
    row = next(n for n, line in enumerate(lines) if line["type"] == "row" and line["stream"] == "audit.entries")
    head = 2
    name = f"audit.entries {lines[row]['key']}"

    def said(text: str) -> None:
        code, out = verified(path)
        assert code == 1 and text in out, out
        path.write_text(whole)

    changed(path, row, leaf=lines[row]["leaf"].replace("test.done", "test.dune").replace("opened", "closed"))
    said(f"NOT: line {row + 1}: {name}: is not what was sealed at position {lines[row]['position']}")
    changed(path, row, position=lines[row]["position"] + 1)
    said(f"{name}: is not what was sealed")
    changed(path, row, key=0)
    said("its content is about another row")
    changed(path, row, seal=99)
    said("no head 99 speaks of its stream")
    changed(path, head, signature=lines[1]["signature"])
    said(f"the signature of head {lines[head]['number']} does not fit")
    path.write_text("".join(json.dumps(line) + "\n" for n, line in enumerate(lines) if n != head))
    said(f"head {lines[head]['number']} is missing")
    path.write_text("".join(json.dumps(line) + "\n" for n, line in enumerate(lines) if n != row))
    said(f"the row at position {lines[row]['position']} (head {lines[row]['seal']}) is missing")
    code, out = verified(path, key=signing.new_key()[1])
    assert code == 1 and "signed by a key that was not given" in out


def test_heads_that_are_not_those_outside_are_named(folder: Path) -> None:
    path = exported(folder)
    (file,) = (folder / "heads").glob("*.jsonl")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    code, out = verified(path, "--heads", str(file))
    assert code == 1 and f"head {Seal.objects.count()} is not the one kept outside" in out


def test_a_row_changed_in_the_database_fails_at_the_auditor(folder: Path, owner) -> None:
    place = export.proof(stream="audit.entries", key=Entry.objects.latest("id").pk)
    assert place is not None and place["path"] is not None
    assert export.proof(stream="audit.entries", key=10**9) is None


def test_refusals_say_what_to_do(folder: Path) -> None:
    out = str(folder / "x.jsonl")
    with pytest.raises(CommandError, match="--from 2026-11-01"):
        call_command("audit", "export", stdout=io.StringIO())
    with pytest.raises(CommandError, match="Nothing was sealed from 2001-01-01 to 2001-01-01"):
        call_command(
            "audit", "export", "--from", "2001-01-01", "--to", "2001-01-01", "--out", out, stdout=io.StringIO()
        )
    with pytest.raises(CommandError, match="There is no stream x"):
        today = str(date.fromisoformat(clock.today().isoformat()))
        call_command("audit", "export", "--from", today, "--to", today, "--stream", "x", stdout=io.StringIO())
