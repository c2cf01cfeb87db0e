"""Which code made a report: the product's version and a hash of its sources.

Any change of a module, statement, template or stylesheet is another version, so a report that is made again by
the same version from the same data and parameters has the same bytes.
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import lru_cache
from pathlib import Path

from django.conf import settings

_ROOMS = ("backoffice", "ledger", "integrations", "accounts", "reconciliation", "reporting", "templates")
_SOURCES = frozenset({".py", ".sql", ".html", ".css"})


@lru_cache(maxsize=1)
def code_version() -> str:
    """ "0.1.0+3f6c9a1b2d4e"; read once per process."""
    base = Path(settings.BASE)
    with (base / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    whole = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((base / room).rglob("*")):
            if path.suffix in _SOURCES:
                whole.update(str(path.relative_to(base)).encode() + b"\0" + path.read_bytes())
    return f"{version}+{whole.hexdigest()[:12]}"
