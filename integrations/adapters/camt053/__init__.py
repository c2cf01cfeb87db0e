"""ISO 20022 camt.053, the bank's end-of-day statement, versions .02 to .10."""

from integrations.adapters.camt053.reader import READER

__all__ = ["READER"]
