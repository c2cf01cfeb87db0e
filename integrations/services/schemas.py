"""What the official schema says of an inbound XML message. Advice only: a verdict never holds or refuses a file.

Of the real bank files tried many fail their schema and are right all the same, while a file that passes can still be
wrong: what proves a statement is its balance. So the verdict and its first messages are kept with the import, for the
talk with the bank. The schema pack is a folder the operator names (BACKOFFICE_SCHEMAS), searched for the message's name
with .xsd; without one nothing is tried.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from django.conf import settings
from lxml import etree

from integrations.records import Parsed

MESSAGES_KEPT = 20
_MESSAGE = re.compile(r"[a-z]{4}\.\d{3}\.\d{3}\.\d{2}")
_NAMESPACE = re.compile(r"\{[^}]*\}")
# How often the list of messages is looked at: a file with a fault in each line is not read to its end.
_LOOK_EVERY = 1_000


def wanted(parsed: Parsed) -> bool:
    """Whether this is a message of a kind that has a schema, and a pack is there to look in."""
    return bool(settings.SCHEMAS) and _MESSAGE.fullmatch(parsed.facts.get("message", "")) is not None


def judged(parsed: Parsed, stream: IO[bytes]) -> Parsed:
    """The reading with the schema's verdict among its facts and the first messages among its warnings.

    `stream` is the file, which the reader has taken already: it is well-formed and without a DOCTYPE. It is read piece
    by piece, in little memory.
    """
    name = f"{parsed.facts['message']}.xsd"
    path = min(Path(settings.SCHEMAS).rglob(name), default=None)
    if path is None:
        return _with(parsed, f"not tried: no {name} in the schema pack", ())
    try:
        schema = etree.XMLSchema(etree.parse(path))
    except (etree.LxmlError, OSError) as error:
        return _with(parsed, f"not tried: {name} cannot be read ({error})"[:200], ())
    messages = _messages(schema, stream)
    if not messages:
        return _with(parsed, f"{name}: valid", ())
    return _with(parsed, f"{name}: not valid", messages)


def _messages(schema: etree.XMLSchema, stream: IO[bytes]) -> list[str]:
    """The first messages of the schema about a file; none when it is valid."""
    steps = etree.iterparse(stream, schema=schema, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        for number, (_, element) in enumerate(steps):
            element.clear()
            while (parent := element.getparent()) is not None and element.getprevious() is not None:
                del parent[0]
            if number % _LOOK_EVERY == 0 and len(steps.error_log) >= MESSAGES_KEPT:
                break
    except etree.XMLSyntaxError:
        # What iterparse raises at the end of a file that is not valid; the log has it all.
        pass
    return [_NAMESPACE.sub("", entry.message)[:300] for entry in list(steps.error_log)[:MESSAGES_KEPT]]


def _with(parsed: Parsed, verdict: str, messages: Sequence[str]) -> Parsed:
    return dataclasses.replace(
        parsed,
        facts={**parsed.facts, "schema": verdict},
        warnings=[*parsed.warnings, *(f"Schema: {message}" for message in messages)],
    )
