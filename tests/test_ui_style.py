"""Templates and styles: contrast in both themes, no inline code, a heading comment on every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = Path(settings.BASE) / "static" / "css"
SCRIPTS = sorted((Path(settings.BASE) / "static" / "js").glob("*.js"))
TEMPLATES = sorted((Path(settings.BASE) / "templates").rglob("*.html"))
INKS = ("ink", "muted", "faint", "accent", "bad", "good", "warn")
GROUNDS = ("ground", "surface", "raised")
PAIRS = [
    *((ink, ground) for ink in INKS for ground in GROUNDS),
    *((tone, f"{tone}-ground") for tone in ("good", "warn", "bad", "info", "neutral", "accent")),
    *((ink, ground) for ink in ("ink", "muted", "accent") for ground in ("hover", "accent-ground")),
    ("ink", "sunken"),
    ("muted", "sunken"),
    ("on-accent", "accent"),
    ("on-accent", "bad"),
    ("muted", "warn-ground"),
    ("ink", "warn-ground"),
    ("bad", "warn-ground"),
]


def tokens(theme: int) -> dict[str, str]:
    """The colours of one theme: 0 is light, 1 is dark."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", (CSS / "tokens.css").read_text())
    return {name: colours[theme] for name, *colours in found}


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance of an sRGB colour."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_of_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(theme, ink, ground):
    colours = tokens(theme)

    assert contrast(colours[ink], colours[ground]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("series", [f"s{n}" for n in range(1, 7)])
def test_marks_of_charts_can_be_seen(theme, series):
    """WCAG 1.4.11 asks for 3 to 1 for graphics."""
    assert contrast(tokens(theme)[series], tokens(theme)["surface"]) >= 3


def test_every_colour_used_is_a_token():
    known = set(re.findall(r"--([\w-]+):", (CSS / "tokens.css").read_text())) | {"gap"}
    for sheet in CSS.glob("*.css"):
        text = sheet.read_text()
        assert set(re.findall(r"var\(--([\w-]+)\)", text)) <= known, sheet.name
        if sheet.name not in ("tokens.css", "print.css"):
            assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[;\s,)])", re.sub(r"#[a-z-]+\b", "", text)), sheet.name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_names_its_context_and_holds_no_code(template):
    text = template.read_text()

    assert re.match(r"\{# .*Context: .* #\}|\{# .* #\}", text.splitlines()[0]), "the first line is a comment"
    assert "Context:" in text.splitlines()[0]
    assert not re.search(r"\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\|\s*safe\b|autoescape|mark_safe", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_evaluates_nothing_and_asks_nobody_else(script):
    text = script.read_text()

    assert not re.search(r"\beval\b|new Function|innerHTML|outerHTML|document\.write|insertAdjacentHTML|https?:", text)


def test_files_stay_small():
    for path in [*CSS.glob("*.css"), *SCRIPTS, *TEMPLATES, *(Path(settings.BASE) / "backoffice" / "ui").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 400, path
