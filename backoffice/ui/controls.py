"""The controls of a filter bar as markup. Plain elements that work without script; app.js only saves clicks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.utils.safestring import SafeString

from backoffice.ui.markup import Child, join, tag

Options = Sequence[tuple[str, str]]


def text(name: str, label: str, value: str, *, error: str = "", hint: str = "", numeric: bool = False) -> SafeString:
    """A text box; `hint` says what it looks for."""
    box = tag(
        "input",
        type="search",
        name=name,
        value=value,
        maxlength=200,
        placeholder=hint or None,
        autocomplete="off",
        spellcheck="false",
        inputmode="numeric" if numeric else None,
        aria_invalid="true" if error else None,
    )
    return _labelled("text", label, box, _error(name, error))


def select(name: str, label: str, value: str, options: Options, *, error: str = "", unsaid: str = "Any") -> SafeString:
    """One of several; `unsaid` is what the empty choice means."""
    items = [tag("option", unsaid, value="")]
    items += [tag("option", shown, value=code, selected=code == value) for code, shown in options]
    box = tag("select", join(items), name=name, class_="set" if value else "")
    return _labelled("select", label, box, _error(name, error))


def multi(name: str, label: str, chosen: Collection[str], options: Options, *, error: str = "") -> SafeString:
    """Any of several, as boxes in a menu."""
    boxes = [
        tag("label", tag("input", type="checkbox", name=name, value=code, checked=code in chosen), tag("span", shown))
        for code, shown in options
    ]
    count = tag("span", str(len(chosen)), class_="count") if chosen else None
    head = tag("summary", tag("span", label), count)
    menu = tag("details", head, tag("div", join(boxes), class_="menu"), class_="multi")
    return tag("div", menu, _error(name, error), class_="filter")


def span(name: str, label: str, values: tuple[str, str], *, kind: str, error: str = "") -> SafeString:
    """From and to, each of which may be empty. `kind` is "date" or "amount"."""
    boxes: list[Child] = []
    for end, value in zip(("from", "to"), values, strict=True):
        boxes.append(
            tag(
                "input",
                type="text",
                name=f"{name}_{end}",
                value=value,
                placeholder="YYYY-MM-DD" if kind == "date" else end,
                inputmode="numeric" if kind == "date" else "decimal",
                autocomplete="off",
                aria_label=f"{label} {end}",
                aria_invalid="true" if error else None,
                class_="set" if value else "",
            )
        )
    inside = tag("span", boxes[0], tag("span", "–", aria_hidden="true"), boxes[1], class_="ends")
    field = tag("div", tag("span", label), inside, class_=f"span {kind}", role="group", aria_label=label)
    return tag("div", field, _error(name, error), class_="filter")


def flag(name: str, label: str, *, on: bool) -> SafeString:
    """Yes or not said."""
    box = tag("input", type="checkbox", name=name, value="1", checked=on)
    return tag("div", tag("label", box, tag("span", label), class_="flag"), class_="filter")


def problem_id(name: str) -> str:
    """The place of a filter's message, which is replaced while the control itself stays."""
    return f"problem-{name}"


def _labelled(kind: str, label: str, box: SafeString, problem: SafeString) -> SafeString:
    return tag("div", tag("label", tag("span", label), box, class_=kind), problem, class_="filter")


def _error(name: str, message: str) -> SafeString:
    return tag("p", message, class_="error", id=problem_id(name), role="status")
