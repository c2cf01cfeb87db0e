"""`manage import_status_report`: the same service as the page, without a person."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from payments.models.files import StatusReport
from tests.payments_desk import state
from tests.test_payments_file_forms import report, row
from tests.test_payments_files import Files, f, now

__all__ = ["f"]


def run(*files: Path) -> tuple[int, dict]:
    out = io.StringIO()
    try:
        call_command("import_status_report", *map(str, files), "--json", stdout=out)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


def test_a_report_gives_the_money_of_refused_payments_back(f: Files, tmp_path: Path) -> None:
    one, two = f.waiting("100.00", "200.00")
    file = f.out(one, two)
    answer = tmp_path / "answer.xml"
    answer.write_bytes(report(row(two.reference, "RJCT", "AC04", "200.00"), order=file.message_id))

    code, said = run(answer)
    again = run(answer)

    assert (code, said["state"], said["refused"], said["payments"]) == (0, "stored", [two.reference], 1)
    assert (said["payment_file"], said["payment_file_state"]) == (file.message_id, "PARTLY")
    assert (state(one), state(two), now(file)) == ("SENT", "FAILED", "PARTLY")
    assert again == (code, said) and StatusReport.objects.count() == 1
    assert StatusReport.objects.get().by is None


def test_what_is_in_doubt_or_refused_is_said_and_ends_with_an_error(f: Files, tmp_path: Path) -> None:
    (one,) = f.waiting("100.00")
    file = f.out(one)
    doubt, nobodys, hostile = (tmp_path / name for name in ("doubt.xml", "nobodys.xml", "hostile.xml"))
    doubt.write_bytes(report(row(one.reference, "RJCT", "AC01", "999.00"), order=file.message_id))
    nobodys.write_bytes(report(row(one.reference, "RJCT", "AC01"), order="NOT-OURS"))
    hostile.write_bytes(b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + report(order=file.message_id))

    code, said = run(doubt, nobodys, hostile, tmp_path / "missing.xml")

    assert code == 1
    assert [one["state"] for one in said["files"]] == ["stored", "refused", "refused", "refused"]
    assert "999.00" in said["files"][0]["conflicts"][0]
    assert "NOT-OURS" in said["files"][1]["error"]
    assert (state(one), now(file)) == ("SENT", "SENT")
    assert StatusReport.objects.count() == 1


@pytest.mark.parametrize("content", [b"", b"no XML", b"<Document/>"])
def test_what_is_no_report_is_refused(db: None, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.xml"
    file.write_bytes(content)

    code, said = run(file)

    assert (code, said["state"]) == (1, "refused")
    assert StatusReport.objects.count() == 0
