"""All reports there are, by name."""

from __future__ import annotations

from backoffice.kernel.errors import NotFound
from reporting.definitions import client_money, daily_reconciliation
from reporting.records import Definition

DEFINITIONS: dict[str, Definition] = {
    daily_reconciliation.NAME: daily_reconciliation.DEFINITION,
    client_money.NAME: client_money.DEFINITION,
}


def definition(name: str) -> Definition:
    """The definition of a report. Raises NotFound naming those there are."""
    found = DEFINITIONS.get(name)
    if found is None:
        raise NotFound(f"There is no report {name!r}. There are: {', '.join(sorted(DEFINITIONS))}.")
    return found
