"""One benchmark, in this process: `python -m benchmarks.one NAME [--small]`. Prints its table."""

from __future__ import annotations

import importlib
import sys

from benchmarks import place
from benchmarks.__main__ import NAMES

# In the settings of tests DEBUG is off and no query is recorded.
SETTINGS = {
    **dict.fromkeys(("list", "clients"), "benchmarks.listing_settings"),
    "webhook": "benchmarks.webhook_settings",
}
USUAL = "backoffice.settings.test"


def main(name: str, *, small: bool) -> None:
    place.fresh(name.replace("-", "_"), SETTINGS.get(name, USUAL))
    try:
        table = importlib.import_module(NAMES[name]).run(small=small)
    finally:
        from django.db import connections

        connections.close_all()
        place.drop(name.replace("-", "_"))
    print(f"### {name}\n\n{table}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], small="--small" in sys.argv)
