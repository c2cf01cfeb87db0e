"""The pieces of pages: what they say, that text from outside stays text, that colour is never alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.template import Context, Template
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from backoffice.kernel.actor import Person, System
from backoffice.kernel.money import Money
from backoffice.ui import charts, components
from backoffice.ui.charts import Series
from backoffice.ui.components import NOT_SAID, Crumb, Difference, Tone
from backoffice.ui.markup import join, tag

HOSTILE = '"><img src=x onerror=1><script>alert(1)</script>{{ 7|add:7 }}'
NOW = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)


def text_of(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


# Markup


def test_text_is_escaped_and_markup_is_not():
    assert tag("b", "<i>", tag("i", "x")) == "<b>&lt;i&gt;<i>x</i></b>"
    assert isinstance(join(["a", None, 1]), SafeString)


def test_attributes():
    assert tag("a", "x", href="/a?b=1&c=2", class_="", aria_label='"', hidden=True, title=None) == (
        '<a href="/a?b=1&amp;c=2" aria-label="&quot;" hidden>x</a>'
    )
    assert tag("input", type="text") == '<input type="text">'


@pytest.mark.parametrize("attribute", ["style", "onclick", "onerror"])
def test_what_the_policy_forbids_cannot_be_written(attribute):
    with pytest.raises(AssertionError):
        tag("p", "x", **{attribute: "x"})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JAVASCRIPT:x", "//evil.example/x", "data:text/html,x", "vbscript:x", " /x"]
)
def test_a_foreign_address_is_left_out(url):
    assert "href" not in tag("a", "x", href=url)


@pytest.mark.parametrize("url", ["/x", "?a=1", "#top", "https://example.com", "http://x"])
def test_an_honest_address_stays(url):
    assert f'href="{url}"' in tag("a", "x", href=url)


@pytest.mark.parametrize(
    "piece",
    [
        components.pill,
        lambda t: components.status(t, {}, {}),
        components.actor,
        lambda t: components.actor(Person(1, t)),
        components.short_hash,
        lambda t: components.money(Decimal(1), t),
        lambda t: components.pairs([(t, t)]),
        lambda t: components.diff([Difference(t, t, "x")], (t, t)),
        lambda t: components.progress(1, 2, t),
        lambda t: components.empty(t, t),
        lambda t: components.breadcrumbs([Crumb(t, "/x")], t),
        lambda t: components.breadcrumbs([Crumb("x", t)]),
        lambda t: components.raw(t, t),
        lambda t: components.raw({t: [t]}),
        lambda t: components.raw(t.encode()),
        lambda t: charts.bars(t, [t], [1], unit=t),
        lambda t: charts.stacked(t, [t], [Series(t, [1]), Series("x", [2])], unit=t),
        lambda t: charts.line(t, [t], [Series(t, [1])], unit=t),
        lambda t: charts.sparkline(t, [1, 2]),
    ],
)
@pytest.mark.django_db
def test_text_from_outside_stays_text(piece):
    html = piece(HOSTILE)

    assert isinstance(html, SafeString)
    assert "<img" not in html
    assert "<script" not in html
    assert "style=" not in html


# Figures and times


def test_money():
    assert components.money(Decimal("-5"), "USD") == '<span class="money neg">-5.00 <span class="ccy">USD</span></span>'
    assert text_of(components.money(Money(Decimal("1234567.891"), "EUR"))) == "1,234,567.891 EUR"
    assert text_of(components.money(None)) == "–none"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**15), max_value=10**15))
def test_an_amount_can_be_read_back_exactly(amount):
    shown = text_of(components.money(amount, "USD"))

    assert Decimal(shown.removesuffix(" USD").replace(",", "")) == amount
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*\.\d{2,8} USD", shown)


def test_lots_and_prices():
    assert text_of(components.lots(Decimal("0.1"))) == "0.10"
    assert text_of(components.lots(Decimal("0.001"))) == "0.001"
    assert text_of(components.price(Decimal("1.0841"), 5)) == "1.08410"
    assert text_of(components.price(Decimal("61234.5"))) == "61234.5"


def test_a_moment_is_utc_with_the_exact_one_in_its_title():
    html = components.moment(NOW + timedelta(microseconds=5))

    assert text_of(html) == "2026-11-20 08:15:00 UTC"
    assert 'datetime="2026-11-20T08:15:00.000005+00:00"' in html
    assert text_of(components.moment(None)) == "–never"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (200_000, "2 d ago"), (-300, "in 5 min")],
)
def test_an_age(seconds, words):
    assert text_of(components.age(NOW, NOW + timedelta(seconds=seconds))) == words


def test_an_age_in_business_days_gets_louder():
    assert 'class="age neutral"' in components.business_age(1)
    assert 'class="age warn"' in components.business_age(2)
    assert 'class="age bad"' in components.business_age(5)
    assert 'title="1 business day"' in components.business_age(1)


def test_actors():
    assert text_of(components.actor(System("booking"))) == "booking"
    assert 'class="actor system"' in components.actor("system: booking")
    assert 'class="actor person"' in components.actor(Person(1, "Mara"))
    assert text_of(components.actor(None)) == "–nobody"


def test_an_unknown_state_is_neutral_and_a_wrong_tone_an_error():
    assert components.status("X", {}) == '<span class="pill neutral">X</span>'
    assert components.status("X", {"X": Tone.BAD}, {"X": "broken"}) == '<span class="pill bad">broken</span>'
    with pytest.raises(ValueError, match="crimson"):
        components.pill("x", "crimson")


# Comparisons


def test_a_difference_has_a_sign_and_a_word_besides_its_colour():
    html = components.diff([Difference("Volume", Decimal("1.5"), Decimal("1.0")), Difference("Side", "buy", "buy")])
    differing, equal = re.findall(r'<tr class="(?:same|differs)">.*?</tr>', html)

    assert "≠" in differing
    assert "different" in differing
    assert "=" in text_of(equal)
    assert "same" in equal
    assert "≠" not in equal


def test_a_usual_difference_is_shown_as_one_and_stays_quiet():
    rows = [Difference("Text", "DEP 7", "R-7", "R-7", usual=True), Difference("Text", "R-7", "R-7", "R-7", usual=True)]
    html = components.diff(rows, ("Server", "Ledger", "PSP"))
    differing, equal = re.findall(r'<tr class="(?:same|differs)">.*?</tr>', html)
    assert "≠" in differing
    assert "different, as is usual" in differing
    assert "=</span>" in equal
    assert "differs" not in html
    assert 'class="other"' not in html


def test_a_missing_value_is_said_and_differs():
    html = components.diff([Difference("Ticket", 5, None), Difference("Side", "buy", "buy")])

    assert html.count("missing") == 2  # the word and its class
    assert html.count('class="differs"') == 1


def test_a_side_with_nothing_says_so_once_and_the_others_are_compared_without_it():
    rows = [Difference("Ticket", 5, None, 5), Difference("Side", "buy", None, "sell")]
    html = components.diff(rows, ("Books", "Server", "LP"))

    assert html.count("nothing on this side") == 1
    assert 'rowspan="2"' in html
    assert html.count('class="differs"') == 1


def test_what_a_side_never_says_is_no_difference():
    html = components.diff([Difference("P", 1, 1, NOT_SAID), Difference("S", 1, 1, 1)], ("Books", "Server", "LP"))

    assert 'class="differs"' not in html
    assert "missing" not in html


def test_numbers_are_compared_as_numbers_and_a_rule_overrules():
    assert 'class="differs"' not in components.diff([Difference("V", Decimal("1.50"), Decimal("1.5"))])
    assert 'class="differs"' not in components.diff([Difference("T", NOW, NOW + timedelta(seconds=1), same=True)])
    assert 'class="differs"' in components.diff([Difference("S", "x", "x", same=False)])


def test_three_sides():
    html = components.diff([Difference("P", 1, 1, 2)], ("Books", "Server", "LP"))

    assert html.count('class="other"') == 1
    assert 'class="differs"' in html


def test_raw_shows_bytes_that_are_no_text():
    assert "\\xff" in components.raw(b"ok \xff")
    assert "1.50" in components.raw({"amount": Decimal("1.50")})


def test_progress_with_an_unknown_end_has_no_position():
    assert "value" not in components.progress(10, 0)
    assert 'value="5" max="5"' in components.progress(9, 5)


# Charts


def shapes(svg: str, name: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(f".//{{http://www.w3.org/2000/svg}}{name}")


def test_bars_have_a_mark_per_value_and_say_it():
    svg = charts.bars("Breaks", ["Mon", "Tue", "Wed"], [3, 0, Decimal("-1.5")], unit="USD")
    marks = shapes(svg, "rect")

    assert len(marks) == 2
    assert [text_of(ElementTree.tostring(mark, encoding="unicode")) for mark in marks] == [
        "Mon: 3 USD",
        "Wed: -1.5 USD",
    ]
    assert shapes(svg, "title")[0].text == "Breaks"
    assert shapes(svg, "desc")[0].text == "3 values, lowest -1.5 USD, highest 3 USD, last -1.5 USD."


def test_heights_are_in_proportion_and_negative_bars_hang():
    positive, negative = shapes(charts.bars("x", ["a", "b"], [2, -1]), "rect")

    assert float(positive.get("height")) == pytest.approx(2 * float(negative.get("height")), abs=0.2)
    assert float(negative.get("y")) == pytest.approx(float(positive.get("y")) + float(positive.get("height")), abs=0.11)


def test_stacked_parts_stand_on_each_other():
    lower, upper = shapes(charts.stacked("x", ["a"], [Series("p", [2]), Series("q", [3])]), "rect")[:2]

    assert float(upper.get("y")) + float(upper.get("height")) == pytest.approx(float(lower.get("y")), abs=0.11)


def test_a_gap_breaks_the_line():
    (path,) = shapes(charts.line("x", list("abcd"), [Series("", [1, None, 2, 3])]), "path")

    assert path.get("d").count("M") == 2


@pytest.mark.parametrize("values", [[], [0], [5], [0, 0], [Decimal("0.00001"), 0], [10**12, -(10**12)]])
def test_odd_series_are_drawn_inside_the_picture(values):
    labels = [str(n) for n, _ in enumerate(values)]
    for svg in (
        charts.bars("x", labels, values),
        charts.line("x", labels, [Series("s", values)]),
        charts.sparkline("x", values),
    ):
        root = ElementTree.fromstring(svg)
        height = float(root.get("height"))
        for mark in root.iter():
            for name in ("y", "cy", "y1", "y2"):
                assert 0 <= float(mark.get(name, 0)) <= height


def test_colours_are_attributes_too_because_a_pdf_has_no_stylesheet():
    svg = charts.stacked("x", ["a"], [Series("p", [2]), Series("q", [3])])

    assert 'class="s1" fill="#' in svg
    assert 'class="s2" fill="#' in svg
    assert "var(" not in svg
    assert "style" not in svg


def test_series_of_the_wrong_length_are_a_defect():
    with pytest.raises(AssertionError):
        charts.bars("x", ["a"], [1, 2])


# Tags


def test_the_template_tags_give_the_same_pieces():
    source = """{% load ui %}{% money amount "USD" %}|{% lots amount %}|{% price amount 3 %}|{% pill "x" "warn" %}
    {% moment now %}|{% day now %}|{% age now %}|{% actor "Mara" %}|{% business_age 3 %}|{% hash text %}
    {% diff rows "A" "B" %}|{% raw text %}|{% icon "search" %}|{% breadcrumbs "" %}|{% progress 1 2 %}
    {% card "Title" "note" %}<b>{{ text }}</b>{% endcard %}"""
    context = {"amount": Decimal(1), "now": NOW, "text": HOSTILE, "rows": [Difference("a", 1, 2)]}

    html = Template(source).render(Context(context))

    assert str(components.money(Decimal(1), "USD")) in html
    assert str(components.diff([Difference("a", 1, 2)], ("A", "B"))) in html
    assert "<h2>Title</h2>" in html
    assert "<b>&quot;&gt;&lt;img" in html
    assert "<img" not in html
    assert "14" not in text_of(html).replace("2026-11-20", "")
