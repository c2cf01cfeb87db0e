"""The one place where text becomes HTML. Everything else builds on `tag` and `join`.

Text is escaped unless it is already safe (made here, or by Django's templates). What our content security
policy forbids cannot be written at all: a `style` or `on...` attribute is an error of the programmer. A link
that does not lead into this site or to http(s) is data from outside and loses its address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString

Child = str | SafeString | int | None
_LINKS = frozenset({"href", "src", "action", "formaction"})
_LINK = re.compile(r"(https?://|/(?!/)|[?#])", re.IGNORECASE)
_VOID = frozenset({"br", "col", "hr", "img", "input", "meta", "use"})


def safe(html: str) -> SafeString:
    """Declare markup safe. Only for code of this room that has escaped every part of it itself."""
    return SafeString(html)


def escape_text(text: str) -> str:
    """Text for use between tags or inside a double-quoted attribute."""
    return escape(text)


def escaped(text: object) -> str:
    """The same, but safe markup passes as it is."""
    return text if isinstance(text, SafeString) else escape(str(text))


def join(parts: Iterable[Child], separator: str = "") -> SafeString:
    """Parts next to each other, each escaped where it needs it; None is left out."""
    return SafeString(escaped(separator).join(escaped(part) for part in parts if part is not None))


def tag(name: str, /, *children: Child, **attributes: object) -> SafeString:
    """An element: `tag("a", "Open", href="/breaks/1", class_="row-link")`.

    A trailing underscore is dropped from an attribute's name and others become hyphens. True writes the bare
    attribute; None, False and an empty class leave it out.
    """
    head = f"<{name}{attribute_text(attributes)}>"
    if name in _VOID:
        return SafeString(head)
    return SafeString(f"{head}{join(children)}</{name}>")


def attribute_text(attributes: dict[str, object]) -> str:
    """The attributes of an element with a leading blank each."""
    parts = []
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        assert name != "style" and not name.startswith("on"), f"the page's policy forbids the attribute {name}"
        if value is None or value is False or (name == "class" and not value):
            continue
        if name in _LINKS and not is_link(str(value)):
            continue
        parts.append(f" {name}" if value is True else f' {name}="{escaped(value)}"')
    return "".join(parts)


def is_link(url: str) -> bool:
    """Whether an address leads into this site or to http(s); "javascript:" and "//elsewhere" do not."""
    return _LINK.match(url) is not None
