"""SWIFT MT940 customer statements and MT942 interim reports, read with the package mt-940."""

from integrations.adapters.mt940.reader import READER

__all__ = ["READER"]
