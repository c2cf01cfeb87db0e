"""Files of any PSP, bank or ledger, by a profile that says what its columns are."""

from integrations.adapters.csv_profile.look import Looked, look
from integrations.adapters.csv_profile.reader import READER
from integrations.adapters.csv_profile.shipped import SHIPPED

__all__ = ["READER", "SHIPPED", "Looked", "look"]
