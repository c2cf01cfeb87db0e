"""`manage report`, and report runs: kept byte for byte, handed out with a note, seen by the right people."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotFound
from reporting import tasks
from reporting.models import CHUNK_SIZE, ReportChunk, ReportFile, ReportRun, RunEntity
from reporting.render import RENDERERS, Renderer
from reporting.selectors import files, verify
from reporting.services import runs
from tests import builders
from tests.builders import ROBOT
from tests.reporting_day import HELD, MORNING, build_day, built, needs_pango
from tests.worlds import DAY

pytestmark = pytest.mark.django_db
SEE, MAKE, EXPORT = "reporting.view_reportrun", "reporting.run_report", "organisation.export_rows"


def command(tmp_path, *arguments: str, name: str = "daily_reconciliation", ending: str = "csv"):
    """(what it printed as JSON, the file's bytes)"""
    target = tmp_path / f"report.{ending}"
    with clock.at(MORNING):
        text = call_command("report", name, "--format", ending, "-o", str(target), "--json", *arguments, stdout=None)
    return text, target


def answer(capsys, tmp_path, *arguments: str, ending: str = "csv"):
    _, target = command(tmp_path, *arguments, ending=ending)
    return json.loads(capsys.readouterr().out), target.read_bytes()


def make(*here, formats=("csv",), actor=ROBOT) -> ReportRun:
    with clock.at(MORNING):
        return runs.make_now(
            actor=actor,
            report="daily_reconciliation",
            day=DAY,
            entity_ids=[entity.pk for entity in here],
            formats=formats,
        )


def sign_in(*permissions: str, user: str = "fred", entities=()) -> Client:
    client = Client()
    client.force_login(builders.user(user, *permissions, entities=entities))
    return client


# The command


@pytest.mark.parametrize("ending", ["csv", "xlsx", "html", pytest.param("pdf", marks=needs_pango)])
def test_the_command_writes_the_report_and_says_what_it_wrote(ending, capsys, tmp_path):
    day = build_day()

    said, body = answer(capsys, tmp_path, "--date", "2026-11-19", "--entity", "CY", ending=ending)

    report = built(day.here)
    assert body == RENDERERS[ending].render(report)
    assert said["sha256"] == hashlib.sha256(body).hexdigest()
    assert (said["size"], said["date"], said["entities"], said["format"]) == (len(body), "2026-11-19", ["CY"], ending)
    assert (said["content_hash"], said["code_version"]) == (report.content_hash(), report.code_version)
    assert said["cutoff"] == MORNING.isoformat()
    run = ReportRun.objects.get(pk=said["run"])
    assert (run.state, run.requested_by) == ("DONE", "system: manage report")


def test_as_of_a_past_moment_it_is_the_report_of_then(capsys, tmp_path):
    build_day()
    then = (MORNING - timedelta(hours=9)).isoformat()  # before the night's runs

    said, body = answer(capsys, tmp_path, "--date", "2026-11-19", "--as-of", then)

    assert said["cutoff"] == then
    text = body.decode("utf-8-sig")
    assert "4 not done" in text
    assert HELD not in text


def test_without_an_entity_it_takes_all_that_have_connections(capsys, tmp_path):
    build_day()
    builders.entity("UK")

    said, _ = answer(capsys, tmp_path, "--date", "2026-11-19")

    assert said["entities"] == ["CY"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--date", "19/11/2026"), "is not a date"),
        (("--date", "2026-11-21"), "has not begun yet"),
        (("--date", "2026-11-19", "--entity", "XX"), "There is no legal entity XX"),
        (("--date", "2026-11-19", "--as-of", "yesterday"), "is not a moment"),
        (("--date", "2026-11-19", "--as-of", "2030-01-01T00:00:00Z"), "in the future"),
    ],
)
def test_what_it_cannot_do_it_says_in_a_sentence(arguments, sentence, tmp_path):
    builders.entity("CY")

    with pytest.raises(CommandError, match=sentence):
        command(tmp_path, *arguments)

    assert not list(tmp_path.iterdir())


def test_an_unknown_report_names_those_there_are(tmp_path):
    builders.entity("CY")

    with pytest.raises(CommandError, match=r"There are: .*daily_reconciliation"):
        command(tmp_path, "--date", "2026-11-19", name="../../etc/passwd")


def test_a_file_that_cannot_be_written_is_kept_all_the_same(tmp_path):
    builders.entity("CY")
    (tmp_path / "report.csv").mkdir()

    with pytest.raises(CommandError, match="The report is kept as run"):
        command(tmp_path, "--date", "2026-11-19")

    assert ReportRun.objects.get().state == "DONE"


def test_people_read_sentences(capsys, tmp_path):
    builders.entity("CY")
    with clock.at(MORNING):
        call_command("report", "daily_reconciliation", "--date", "2026-11-19", "--format", "csv", "-o", f"{tmp_path}/r")

    assert "daily_reconciliation 2026-11-19 of CY:" in capsys.readouterr().out


# Runs


def test_what_was_made_can_be_fetched_again_byte_for_byte(monkeypatch):
    here = builders.entity("CY")
    big = bytes(range(256)) * (CHUNK_SIZE // 256) * 2 + b"the end"
    monkeypatch.setitem(RENDERERS, "csv", Renderer(lambda report: big, "text/csv"))

    file = make(here).files.get()

    assert ReportChunk.objects.filter(file=file).count() == 3
    assert files.content(file) == big
    assert list(verify.findings()) == []


def test_asking_making_and_taking_are_in_the_audit_log():
    day = build_day()
    run = make(day.here)
    client = sign_in(SEE, EXPORT, entities=(day.here,))
    reply = client.get(reverse("report-run", args=[run.pk]), {"file": "csv"})

    assert reply.content == files.content(run.files.get())
    assert reply["Content-Disposition"].endswith("daily-reconciliation-CY-2026-11-19.csv")
    log = Entry.objects.filter(target=f"reporting.reportrun:{run.pk}").order_by("id")
    assert [row.action for row in log] == ["report.requested", "report.made", "report.downloaded"]
    assert log[2].actor_label == "Fred"
    assert log[2].data["sha256"] == run.files.get().sha256


def test_a_download_needs_the_right_to_export():
    here = builders.entity("CY")
    run = make(here)
    address = reverse("report-run", args=[run.pk])

    without = sign_in(SEE, entities=(here,))
    refused = without.get(address, {"file": "csv"})
    page = without.get(address).content.decode()
    only_export = sign_in(EXPORT, user="pat", entities=(here,)).get(address, {"file": "csv"})

    assert refused.status_code == 403
    assert EXPORT in refused.content.decode()
    assert "Download" not in page
    assert only_export.status_code == 403
    assert sign_in(SEE, EXPORT, user="mia", entities=(here,)).get(address, {"file": "pdf"}).status_code == 404


def test_a_report_over_two_entities_is_for_people_of_both():
    here, other = builders.entity("CY"), builders.entity("UK")
    both, own = make(here, other), make(here)
    one_side = sign_in(SEE, EXPORT, entities=(here,))
    two_sides = sign_in(SEE, EXPORT, user="mia", entities=(here, other, builders.entity("MU")))

    assert [row.pk for row in one_side.get(reverse("report-runs")).context["rows"]] == [own.pk]
    assert [row.pk for row in two_sides.get(reverse("report-runs")).context["rows"]] == [own.pk, both.pk]
    for query in ({}, {"file": "csv"}):
        assert one_side.get(reverse("report-run", args=[both.pk]), query).status_code == 404
        assert one_side.get(reverse("report-run-progress", args=[both.pk]), query).status_code == 404
        assert two_sides.get(reverse("report-run", args=[both.pk]), query).status_code == 200
    export = b"".join(one_side.get(reverse("report-runs"), {"export": "csv"}).streaming_content).decode()
    assert "CY, UK" not in export


def test_a_person_makes_reports_of_their_own_entities_only():
    here, other = builders.entity("CY"), builders.entity("UK")
    client = sign_in(SEE, MAKE, EXPORT, entities=(here,))
    asked = {"report": "daily_reconciliation", "day": "2026-11-19", "format": "xlsx"}

    with clock.at(MORNING):
        foreign = client.post(reverse("make-report"), {**asked, "entities": [other.pk]})
        mixed = client.post(reverse("make-report"), {**asked, "entities": [here.pk, other.pk]})
        nothing = client.post(reverse("make-report"), {**asked, "entities": []})
        unknown = client.post(reverse("make-report"), {**asked, "entities": [here.pk], "format": "exe"})
        future = client.post(reverse("make-report"), {**asked, "entities": [here.pk], "day": "2026-12-24"})
        assert not ReportRun.objects.exists()
        good = client.post(reverse("make-report"), {**asked, "entities": [here.pk]})

    assert [r.status_code for r in (foreign, mixed, nothing, unknown, future)] == [422] * 5
    run = ReportRun.objects.get()
    assert (good.status_code, good["Location"]) == (303, reverse("report-run", args=[run.pk]))
    assert (run.state, run.formats, run.requested_by) == ("DONE", ["xlsx"], "Fred")


def test_a_page_offers_what_it_can_make():
    here = builders.entity("CY")
    with clock.at(MORNING):
        maker = sign_in(SEE, MAKE, entities=(here,)).get(reverse("daily-report")).content.decode()
        reader = sign_in(SEE, user="sue", entities=(here,)).get(reverse("daily-report")).content.decode()
        form = sign_in(MAKE, user="pat", entities=(here,)).get(reverse("make-report")).content.decode()

    assert 'value="pdf">PDF</button>' in maker
    assert "<button name=" not in reader
    assert 'value="2026-11-19"' in form


# A worker makes it


@pytest.fixture
def woken(monkeypatch) -> list[tuple[str, dict[str, object]]]:
    calls: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(runs.jobs, "wake", lambda task, **arguments: calls.append((task, arguments)))
    return calls


def queued(here, formats=("csv",)) -> ReportRun:
    with clock.at(MORNING):
        return runs.request(actor=ROBOT, report="daily_reconciliation", day=DAY, entity_ids=[here.pk], formats=formats)


def test_a_queued_report_waits_and_a_worker_makes_it_as_of_when_it_was_asked_for(
    woken, django_capture_on_commit_callbacks
):
    day = build_day()
    with django_capture_on_commit_callbacks(execute=True):
        run = queued(day.here)
    assert woken == [("reporting.render", {"run_id": run.pk})]
    assert run.state == "QUEUED"
    page = sign_in(SEE, entities=(day.here,)).get(reverse("report-run", args=[run.pk])).content.decode()
    assert "waiting for a worker" in page
    assert reverse("report-run-progress", args=[run.pk]) in page

    with clock.at(MORNING + timedelta(hours=5)):
        tasks.render(run.pk)
        tasks.render(run.pk)  # delivered twice

    run.refresh_from_db()
    assert (run.state, run.cutoff_at) == ("DONE", MORNING)
    assert files.content(run.files.get()) == RENDERERS["csv"].render(built(day.here))
    part = sign_in(SEE, entities=(day.here,)).get(reverse("report-run-progress", args=[run.pk]))
    assert part["HX-Refresh"] == "true"


def test_the_sweeper_finds_what_a_lost_wake_up_and_a_dead_worker_left(woken):
    here = builders.entity("CY")
    waiting, dead, young = queued(here), queued(here), queued(here)
    ReportRun.objects.filter(pk=dead.pk).update(state="RUNNING", started_at=MORNING - timedelta(hours=1))
    ReportRun.objects.filter(pk=young.pk).update(state="RUNNING", started_at=MORNING)

    with clock.at(MORNING + timedelta(minutes=1)):
        tasks.sweep()

    dead.refresh_from_db()
    assert dead.state == "QUEUED"
    assert sorted(arguments["run_id"] for _, arguments in woken) == [waiting.pk, dead.pk]
    assert ReportRun.objects.get(pk=young.pk).state == "RUNNING"


def test_a_report_that_cannot_be_made_says_why(monkeypatch):
    here = builders.entity("CY")

    def refuse(report):
        raise DomainError("This machine cannot make PDFs.")

    monkeypatch.setitem(RENDERERS, "pdf", Renderer(refuse, "application/pdf"))
    run = make(here, formats=("csv", "pdf"))

    assert (run.state, run.error, run.files.count()) == ("FAILED", "This machine cannot make PDFs.", 0)
    page = sign_in(SEE, EXPORT, entities=(here,)).get(reverse("report-run", args=[run.pk])).content.decode()
    assert "This machine cannot make PDFs." in page
    assert "Open the page" in page


def test_a_defect_is_kept_and_raised(monkeypatch):
    here = builders.entity("CY")
    monkeypatch.setitem(RENDERERS, "csv", Renderer(lambda report: 1 / 0, "text/csv"))

    with pytest.raises(ZeroDivisionError):
        make(here)

    assert "ZeroDivisionError" in ReportRun.objects.get().error


def test_refusals_of_the_service():
    here = builders.entity("CY")
    order = {"actor": ROBOT, "report": "daily_reconciliation", "day": DAY, "entity_ids": [here.pk], "formats": ["csv"]}
    with clock.at(MORNING):
        for change in ({"entity_ids": []}, {"entity_ids": [here.pk, 10**9]}, {"formats": []}, {"formats": ["exe"]}):
            with pytest.raises(runs.BadReport):
                runs.request(**{**order, **change})
        with pytest.raises(NotFound):
            runs.request(**{**order, "report": "weekly"})
    assert not ReportRun.objects.exists()


# What was handed out stays


@pytest.mark.parametrize("model", [ReportFile, ReportChunk, RunEntity])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET id = id + 1"])
def test_the_applications_role_changes_no_file(model, change):
    make(builders.entity("CY"))

    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(model._meta.db_table))


@pytest.mark.django_db(transaction=True)
def test_a_file_changed_past_every_guard_is_named_and_not_handed_out(superuser):
    run = make(builders.entity("CY"))
    assert list(verify.findings()) == []
    superuser.execute("ALTER TABLE reporting_reportchunk DISABLE TRIGGER ALL")
    superuser.execute("UPDATE reporting_reportchunk SET body = set_byte(body, 5, 88)")

    (finding,) = verify.findings()

    assert finding.rule == "a report file has the bytes that were made"
    with pytest.raises(files.Damaged, match="Do not use it"):
        files.content(run.files.get())
