"""Texts in the letters that banks pass on, and the schema that both kinds of payment file are held against.

Letters: the Latin set of the European Payments Council (EPC217-08, also SWIFT's character set X): a-z A-Z 0-9 and
/ - ? : ( ) . , ' + and blank. Schema: pain.001.001.09.xsd, read from the installed package sepaxml.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import as_file, files

from lxml import etree
from text_unidecode import unidecode

from payments.records import BadFile

FORMAT = "pain.001.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{FORMAT}"
_OTHER = re.compile(r"[^a-zA-Z0-9/\-?:().,'+ ]")


def plain(text: str, longest: int) -> str:
    """In the letters of the set, shortened: ä becomes a, & becomes +, what has no like is left out as a blank."""
    latin = unidecode(text.replace("&", "+")).replace("[?]", " ")
    return " ".join(_OTHER.sub(" ", latin).split())[:longest].strip()


def required(text: str, longest: int, what: str) -> str:
    """The same. Raises BadFile where nothing is left that a bank could read."""
    found = plain(text, longest)
    if not any(sign.isalnum() for sign in found):
        raise BadFile(f"{what} has no letters that a bank can read. It has to be paid another way.")
    return found


def checked(content: bytes) -> bytes:
    """The file, if it is valid by the schema. Raises BadFile with the place and the schema's words."""
    try:
        tree = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        _schema().assertValid(tree)
    except (etree.XMLSyntaxError, etree.DocumentInvalid) as error:
        said = str(error).replace(f"{{{NAMESPACE}}}", "")
        raise BadFile(f"The payment file would not be valid, so it was not made. {FORMAT}: {said}") from error
    return content


@cache
def _schema() -> etree.XMLSchema:
    with as_file(files("sepaxml") / "schemas" / f"{FORMAT}.xsd") as path:
        return etree.XMLSchema(etree.parse(str(path)))
