"""A few line icons, drawn in the text's colour. Always beside words or with a label on their button."""

from __future__ import annotations

from django.utils.safestring import SafeString

from backoffice.ui.markup import safe, tag

_PATHS = {
    "menu": "M3 5h14M3 10h14M3 15h14",
    "search": "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4",
    "download": "M10 3v9M6 8.5l4 4 4-4M4 16.5h12",
    "close": "M5 5l10 10M15 5L5 15",
    "person": "M10 3.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM4 17c.6-3.2 3-5 6-5s5.400 1.800 6 5",
    "keys": "M2.500 5.500h15v9h-15zM5.500 8.500h.01M8.500 8.500h.01M11.500 8.500h.01M14.500 8.500h.01M6.500 11.500h7",
    "alert": "M10 3l8 14H2zM10 8v4M10 14.500v.01",
    "left": "M12 5l-5 5 5 5",
    "right": "M8 5l5 5-5 5",
    "first": "M14 5l-5 5 5 5M6 5v10",
    "last": "M6 5l5 5-5 5M14 5v10",
    "theme": "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
}


def icon(name: str) -> SafeString:
    """The icon as inline SVG, hidden from screen readers."""
    # The path is a constant of this file.
    return tag("svg", safe(f'<path d="{_PATHS[name]}"/>'), class_="icon", viewBox="0 0 20 20", aria_hidden="true")
