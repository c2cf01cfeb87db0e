"""ISO 20022 bank messages: camt.053 (the end-of-day statement), camt.052 and camt.054, versions .02 to .10."""

from integrations.adapters.camt053.reader import READER

__all__ = ["READER"]
