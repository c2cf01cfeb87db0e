"""What PSPs print in the remittance of a payout: by this alone a bank line is one.

Adyen: TX635094301XT (settlement details report, MerchantPayout rows). Stripe: the payout's own id, po_1Nzr..., where a
statement descriptor carries it. Other references have no form of their own: they count where a payout that we know has
them (accounts: booking/payouts.py).
"""

from __future__ import annotations

import re

# No group in it: PostgreSQL's substring() gives the first group where there is one.
PAYOUT_TOKEN = re.compile(r"\b(?:TX\w{4,}XT|po_[0-9A-Za-z]{14,})\b")
# The same in PostgreSQL's dialect.
PAYOUT_TOKEN_SQL = PAYOUT_TOKEN.pattern.replace(r"\b", r"\y")
