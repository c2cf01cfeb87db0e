"""The daily reconciliation report: the same numbers in every format, the same bytes every time, nobody else's data."""

from __future__ import annotations

import csv
import http.server
import io
import re
import subprocess
import threading
import time
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser
from typing import ClassVar

import openpyxl
import pytest
from django.test import Client
from django.urls import reverse

from accounts.selectors.journal_keys import journal_key
from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection, Deal
from integrations.services import imports
from ledger.models import Journal
from ledger.services import journal
from reconciliation.models import Break, Kind
from reconciliation.services import breaks
from reporting.render import RENDERERS, html, pdf
from reporting.selectors import money
from reporting.selectors.comparisons import usual_cutoff
from tests import builders
from tests.builders import ROBOT
from tests.reporting_day import (
    BEFORE,
    COMMAND,
    FORMULA,
    HELD,
    MARKUP,
    MORNING,
    NAME,
    NIGHT,
    build_day,
    built,
    needs_pango,
    reconcile,
    reconcile_all,
)
from tests.worlds import DAY, deposit

pytestmark = pytest.mark.django_db
FORMATS = [pytest.param(name, marks=needs_pango) if name == "pdf" else name for name in ("html", "pdf", "xlsx", "csv")]


def rows_of(report, key):
    return next(section for section in report.sections if section.key == key).rows


def pdf_text(body: bytes, how: str = "-layout") -> str:
    try:
        done = subprocess.run(["pdftotext", how, "-", "-"], input=body, capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("pdftotext (poppler-utils) is not here")
    return done.stdout.decode()


# What it says


def test_a_day_is_told_as_it_was():
    day = build_day()

    report = built(day.here)

    found = {row.kind: row for row in rows_of(report, "reconciliations")}
    trades = found["trades"]
    assert (trades.state, trades.compared, trades.matched, trades.differences) == ("done", 5, 3, 2)
    assert (found["balances"].state, found["cash"].state) == ("done", "done")
    by_class = {row.klass: row.count for row in rows_of(report, "differences")}
    assert by_class == {"VOLUME": 1, "FILL_WITHOUT_DEAL": 1, "BALANCE": 1, "UNIDENTIFIED": 1}
    assert {line.klass for line in rows_of(report, "opened")} == set(by_class)
    (closed,) = rows_of(report, "closed")
    assert (closed.id, closed.how) == (day.closed.pk, "by a person, with a reason")
    assert (closed.reason, closed.by) == (COMMAND, "Mara")
    still = {line.id: (line.state, line.owner, line.age) for line in rows_of(report, "open")}
    assert still[day.taken.pk] == ("ASSIGNED", "Mara", 2)
    assert len(still) == 5
    (stake,) = rows_of(report, "stake")
    amounts = [abs(b.amount) for b in Break.objects.filter(pk__in=still).exclude(currency="") if b.amount is not None]
    assert (stake.currency, stake.breaks, stake.amount) == ("USD", len(amounts), sum(amounts))
    (flow,) = rows_of(report, "money")
    assert (flow.currency, flow.into, flow.out) == ("USD", Decimal("1500.25"), Decimal(200))
    assert flow.net == Decimal("1300.25")
    (control,) = rows_of(report, "balance")
    assert control.difference == 0
    assert control.debit > 0


def test_open_breaks_roll_forward_in_every_class():
    day = build_day()

    report = built(day.here)

    rows = rows_of(report, "movement")
    assert [row.before + row.opened - row.closed for row in rows] == [row.open for row in rows]
    assert [sum(row.ages) for row in rows] == [row.open for row in rows]
    total = rows[-1]
    assert (total.before, total.opened, total.closed, total.open) == (2, 4, 1, 5)


def test_files_sources_and_control_totals():
    day = build_day()

    report = built(day.here)

    (held,) = rows_of(report, "files")
    assert (held.id, held.state, held.proves, held.new) == (day.held.pk, "HELD", False, None)
    totals = rows_of(report, "totals")
    assert totals
    assert not all(total.holds for total in totals)
    sources = {line.name: line for line in rows_of(report, "sources")}
    assert (sources["mt5"].facts, sources["mt5"].listed, sources["mt5"].balances) == (4, 4, 1)
    assert (sources["lp"].facts, sources["lp"].balances) == (3, None)


def test_a_reversed_deposit_is_neither_a_deposit_nor_a_withdrawal():
    day = build_day()
    with clock.at(NIGHT):
        fact = Deal.objects.get(ticket=21)
        posted = Journal.objects.get(key=journal_key("deal", fact.connection_id, fact.__dict__, 1))
        journal.post(
            actor=ROBOT,
            entity_id=day.here.pk,
            draft=journal.reversal(posted, key="undo", business_date=DAY, why="typed twice"),
        )

    found = money.flows({day.here.pk: "CY"}, first=DAY, last=DAY, cutoff=MORNING)

    assert [(flow.into, flow.out) for flow in found] == [(Decimal(0), Decimal(200))]


def test_a_report_before_anything_was_reconciled_says_so():
    here = builders.entity("CY")

    report = built(here)

    assert [section.rows for section in report.sections] == [()] * len(report.sections)
    assert dict(report.facts)["Books"] == "nothing booked"
    page = html.document(report)
    assert "Nothing is connected" in page
    assert "No break is open." in page
    for name in ("xlsx", "csv"):
        assert RENDERERS[name].render(report)


def test_a_day_without_its_run_is_told_as_missing():
    day = build_day()
    with clock.at(MORNING):
        report = built(day.here, day=MORNING.date())

    assert {row.state for row in rows_of(report, "reconciliations")} == {"not run"}
    assert "4 not done" in dict(report.facts)["Reconciliations"]


# The same in every format


def normal(text: str) -> object:
    """A cell without its dress: a number as a number, a moment to the second."""
    plain = " ".join(text.split()).removesuffix(" UTC")
    if len(plain) >= 19 and plain[10:11] in ("T", " ") and plain[4:5] == "-":
        return plain[:19].replace("T", " ").removesuffix(" 00:00:00")
    number = plain.replace(",", "").removesuffix(" bd")
    head, _, tail = number.rpartition(" ")
    try:
        return Decimal(head if head and tail.isupper() and tail.isalpha() else number)
    except InvalidOperation:
        return plain.removeprefix("system: ").lstrip("'")


class Cells(HTMLParser):
    """The tables of a page: lists of rows of texts, by the section they stand in."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._section, self._text, self._skip = "", None, 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "section":
            self._section = given.get("id") or self._section
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self._text = ""
        if tag == "code" and self._text is not None and "title" in given:
            self._text, self._skip = given["title"], 1

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self._text is not None:
            self.tables[self._section][-1].append(self._text)
            self._text = None
        if tag == "code":
            self._skip = 0

    def handle_data(self, data):
        if self._text is not None and not self._skip:
            self._text += data


def page_tables(markup: str) -> dict[str, list[list[str]]]:
    parser = Cells()
    parser.feed(markup)
    return parser.tables


def csv_tables(body: bytes, report) -> dict[str, list[list[str]]]:
    lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    found = {}
    for section in report.sections:
        start = lines.index([section.title, section.note])
        end = next((n for n, line in enumerate(lines[start:], start) if line == []), len(lines))
        found[section.key] = lines[start + 1 : end]
    return found


def xlsx_tables(body: bytes, report) -> dict[str, list[list[str]]]:
    book = openpyxl.load_workbook(io.BytesIO(body))
    found = {}
    for section in report.sections:
        sheet = book[section.title[:31]]
        rows = [[("" if cell is None else str(cell)) for cell in row] for row in sheet.iter_rows(values_only=True)]
        found[section.key] = rows[3 : 4 + len(section.rows)]
    return found


def test_page_csv_and_workbook_show_the_same_numbers():
    report = built(build_day().here)

    page = page_tables(html.document(report))
    sheet = xlsx_tables(RENDERERS["xlsx"].render(report), report)
    text = csv_tables(RENDERERS["csv"].render(report), report)

    for section in report.sections:
        if not section.rows:
            continue
        head, *rows = page[section.key]
        assert len(rows) == len(section.rows) == len(text[section.key]) - 1 == len(sheet[section.key]) - 1
        for number, label in enumerate(head):
            file_label = f"{label.removesuffix(' UTC')} (UTC)" if label.endswith(" UTC") else label
            place = text[section.key][0].index(file_label)
            assert sheet[section.key][0][place] == file_label
            for row, of_text, of_sheet in zip(rows, text[section.key][1:], sheet[section.key][1:], strict=True):
                seen = normal(row[number])
                assert seen == normal(of_text[place]), (section.key, label)
                assert seen == normal(of_sheet[place].removesuffix(".000000")), (section.key, label)


@needs_pango
def test_the_pdf_shows_what_the_page_shows():
    report = built(build_day().here)

    words = pdf_text(RENDERERS["pdf"].render(report)).split()

    for rows in page_tables(html.document(report)).values():
        for row in rows:
            for cell in row:
                for word in cell.split():
                    if len(word) <= 18 and any(sign.isdigit() for sign in word):
                        assert word in words, word
    assert "Page" in words
    assert "1" in words
    assert report.code_version in words


@needs_pango
def test_nothing_stands_outside_the_papers_margins():
    """A4 is 595 points wide; the margins of 12 mm are 34 of them."""
    day = build_day()
    Connection.objects.filter(pk=day.world.bank.pk).update(name="The second bank of the northern isles, main account")
    body = RENDERERS["pdf"].render(built(day.here))

    boxes = re.findall(r'xMin="([\d.]+)" yMin="[\d.]+" xMax="([\d.]+)"', pdf_text(body, "-bbox"))

    assert len(boxes) > 300
    assert min(float(left) for left, _ in boxes) > 33
    assert max(float(right) for _, right in boxes) < 595.3 - 33


def test_the_page_in_the_browser_shows_the_report_of_the_moment():
    day = build_day()
    client = Client()
    client.force_login(builders.user("fred", "reporting.view_reportrun", entities=(day.here,)))
    with clock.at(MORNING):
        answer = client.get(reverse("daily-report"), {"day": "2026-11-19"})

    assert answer.status_code == 200
    report = built(day.here)
    mine, theirs = page_tables(html.document(report)), page_tables(answer.content.decode())
    assert {key: theirs[key] for key in mine} == mine


# The same every time


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_report_has_the_same_bytes(name, monkeypatch):
    day = build_day()
    first = RENDERERS[name].render(built(day.here))

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        time.sleep(1.1)  # the clock of files has seconds
        second = RENDERERS[name].render(built(day.here))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert first == second


@pytest.mark.parametrize("name", ["html", "xlsx", "csv"])
def test_what_happens_later_is_not_in_it(name):
    day = build_day()
    first = RENDERERS[name].render(built(day.here))

    with clock.at(MORNING + timedelta(hours=2)):
        later = built(day.here, cutoff=MORNING + timedelta(hours=2))
        for item in Break.objects.filter(klass__in=["VOLUME", "MISSING_AT_LP"], closed_at=None):
            breaks.assign(actor=builders.person(day.mara), break_ids=[item.pk], assignee_id=day.mara.pk)
        breaks.resolve(actor=ROBOT, break_id=day.taken.pk, reason="found")
        imports.accept_held(actor=ROBOT, import_id=day.held.pk, reason="seen")
        day.world.put(day.world.server, deposit(31, "5.00", "D-CCCC4444"))
        day.world.book()
        for kind in (Kind.TRADES, Kind.CASH):
            reconcile(day.here, kind, DAY)

    assert RENDERERS[name].render(built(day.here)) == first
    with clock.at(MORNING + timedelta(hours=3)):
        after = built(day.here, cutoff=MORNING + timedelta(hours=3))
    assert {row.key: row.rows for row in after.sections} != {row.key: row.rows for row in later.sections}
    assert rows_of(after, "files")[0].state == "STORED"
    assert rows_of(after, "money")[0].into == Decimal("1505.25")


def test_amount_and_summary_of_a_break_are_those_of_the_cutoff():
    day = build_day()
    before = {line.id: (line.amount, line.summary) for line in rows_of(built(day.here), "open")}
    balance = Break.objects.get(klass="BALANCE")
    with clock.at(MORNING + timedelta(hours=1)):
        day.world.snapshot(1001, "1299.25")
        reconcile(day.here, Kind.BALANCES, DAY)

    assert Break.objects.get(pk=balance.pk).amount != balance.amount
    assert Break.objects.get(pk=balance.pk).summary != balance.summary
    assert {line.id: (line.amount, line.summary) for line in rows_of(built(day.here), "open")} == before
    after = {line.id: line.amount for line in rows_of(built(day.here, cutoff=MORNING + timedelta(hours=2)), "open")}
    assert after[balance.pk] == Decimal("-1.00")


def test_a_break_that_was_closed_and_came_back_is_told_right():
    day = build_day()
    volume = Break.objects.get(klass="VOLUME")
    with clock.at(MORNING + timedelta(hours=1)):
        breaks.resolve(actor=ROBOT, break_id=volume.pk, reason="rounding")
    with clock.at(MORNING + timedelta(hours=2)):
        Break.objects.filter(pk=volume.pk).update(amount=Decimal("0.01"))  # what the next run sees differs
        reconcile_all(day.here, DAY)

    assert Break.objects.get(pk=volume.pk).is_open
    between = built(day.here, cutoff=MORNING + timedelta(hours=1, minutes=30))
    assert volume.pk not in {line.id for line in rows_of(between, "open")}
    after = built(day.here, cutoff=MORNING + timedelta(hours=3))
    assert [line.id for line in rows_of(after, "opened")].count(volume.pk) == 2
    for row in rows_of(after, "movement"):
        assert row.before + row.opened - row.closed == row.open


def test_an_older_days_report_ends_before_the_next_day_was_reconciled():
    day = build_day()

    cutoff = usual_cutoff([day.here.pk], BEFORE, MORNING)

    assert cutoff == NIGHT - timedelta(microseconds=1)
    report = built(day.here, day=BEFORE, cutoff=cutoff)
    assert {line.id for line in rows_of(report, "open")} == {day.taken.pk}
    assert usual_cutoff([day.here.pk], DAY, MORNING) == MORNING


# Texts that mean harm


def test_no_cell_of_a_file_is_a_formula():
    report = built(build_day().here)

    book = openpyxl.load_workbook(io.BytesIO(RENDERERS["xlsx"].render(report)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert any(str(cell.value).find(FORMULA[:20]) >= 0 for cell in cells)
    assert any(cell.value == COMMAND for cell in cells)
    lines = list(csv.reader(io.StringIO(RENDERERS["csv"].render(report).decode("utf-8-sig"))))
    for text in (cell for line in lines for cell in line):
        try:
            Decimal(text)
        except InvalidOperation:
            assert not text.startswith(("=", "+", "-", "@")), text


def test_markup_in_texts_stays_text():
    page = html.document(built(build_day().here))

    assert "<img" not in page
    assert "<link" not in page
    assert "<b>" not in page
    assert NAME.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page
    assert "{{7*7}}" in page


class Visits(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_GET(self):
        type(self).seen.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def listener():
    Visits.seen = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Visits)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@needs_pango
def test_paper_fetches_nothing_and_attaches_nothing(listener, tmp_path, monkeypatch):
    import weasyprint

    secret = tmp_path / "secret.txt"
    secret.write_text("do not attach me")
    hostile = (
        f'<style>@import url("{listener}/import.css"); body {{ background: url({listener}/css.png) }}</style>'
        f'<link rel=stylesheet href="{listener}/link.css"><link rel=attachment href="file://{secret}">'
        f'<img src="{listener}/image.png"><svg><image href="{listener}/svg.png"/></svg><p>text</p>'
    )
    # The probe works: without our fetcher the same document is fetched and the file attached.
    open_body = weasyprint.HTML(string=hostile).write_pdf()
    assert Visits.seen
    assert b"/EmbeddedFile" in weasyprint.HTML(string=hostile).write_pdf(uncompressed_pdf=True)
    assert open_body

    Visits.seen.clear()
    monkeypatch.setattr(html, "document", lambda report: hostile)
    body = pdf.render(None)

    assert Visits.seen == []
    assert b"/EmbeddedFile" not in body
    assert body.startswith(b"%PDF")


@needs_pango
def test_hostile_texts_of_a_real_day_reach_paper_as_text():
    body = RENDERERS["pdf"].render(built(build_day().here))

    assert b"/EmbeddedFile" not in body
    text = " ".join(pdf_text(body).split())
    assert "{{7*7}}" in text
    assert "evil.example/x.png" in text
    assert MARKUP[:2] in text


def test_without_pango_the_refusal_names_the_packages(monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(pdf.NoPango, match=r"libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0.*print view"):
        pdf.render(built(builders.entity("CY")))


# Long lists


def test_a_long_list_is_cut_on_the_page_and_says_where_the_rest_is(monkeypatch):
    monkeypatch.setattr(html, "ROWS_ON_PAGE", 2)
    report = built(build_day().here)

    parts = {part.key: part for part in html.parts(report, paper=False)}

    assert parts["open"].cut == "The first 2 of 5 rows. XLSX and CSV have all of them."
    assert parts["open"].table.count("<tr>") == 3
    assert len(csv_tables(RENDERERS["csv"].render(report), report)["open"]) == 6


# Whose data


def test_another_entitys_report_has_nothing_of_it():
    day = build_day()
    other = builders.entity("UK")

    for name in ("html", "xlsx", "csv"):
        body = RENDERERS[name].render(built(other))
        text = body.decode("utf-8-sig") if name != "xlsx" else xlsx_text(body)
        for trace in (NAME[:5], "Deal 11", "D-AAAA2222", "1,500", HELD, "adyen"):
            assert trace not in text, (name, trace)
    both = RENDERERS["csv"].render(built(day.here, other)).decode("utf-8-sig")
    assert HELD in both
    assert LegalEntity.objects.count() == 2


def xlsx_text(body: bytes) -> str:
    book = openpyxl.load_workbook(io.BytesIO(body))
    return "\n".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row)


def test_a_person_sees_the_report_of_their_own_entities_only():
    day = build_day()
    client = Client()
    client.force_login(builders.user("stan", "reporting.view_reportrun", entities=(builders.entity("UK"),)))

    with clock.at(MORNING):
        for query in ({}, {"entity": str(day.here.pk)}, {"day": "2026-11-19", "entity": [str(day.here.pk), "x"]}):
            page = client.get(reverse("daily-report"), query).content.decode()
            assert "Broker UK Ltd" in page
            assert "D-AAAA2222" not in page
            assert NAME[:5] not in page


@pytest.mark.parametrize("asked", ["2026-13-45", "19/11/2026", "2027-01-01", "0001-01-01", "x" * 3000])
def test_a_day_that_makes_no_sense_gives_the_last_business_day(asked):
    here = builders.entity("CY")
    client = Client()
    client.force_login(builders.user("fred", "reporting.view_reportrun", entities=(here,)))

    with clock.at(MORNING):
        answer = client.get(reverse("daily-report"), {"day": asked})

    assert answer.status_code == 200
    assert answer.context["day"] == DAY
    assert "This is the last business day." in answer.content.decode()


def test_a_person_of_no_entity_is_told_so():
    client = Client()
    client.force_login(builders.user("fred", "reporting.view_reportrun"))

    assert "You work in no legal entity." in client.get(reverse("daily-report")).content.decode()


def test_nothing_is_written_while_a_report_is_read(django_assert_max_num_queries):
    day = build_day()
    with django_assert_max_num_queries(20) as seen:
        built(day.here)

    assert not [q["sql"] for q in seen.captured_queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
