"""Profiles that come with the product, for files whose headers are known. They change with its version only.

Headers: exports of Wise and Revolut Business as people's import tests of 2022 to 2025 hold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REVOLUT: Mapping[str, Any] = {
    "kind": "bank",
    "columns": {
        "id": "ID",
        "booking_date": "Date completed (UTC)",
        "value_date": "Date completed (UTC)",
        "amount": "Total amount",
        "currency": "Payment currency",
        "balance": "Balance",
        "account": "Account",
        "state": "State",
        "bank_code": "Type",
        "end_to_end_id": "Reference",
        "remittance": ["Description", "Reference"],
        "counterparty": "Payer",
        "counterparty_account": "Beneficiary account number",
    },
    "date_formats": ["iso", "%d/%m/%Y", "%d/%m/%Y %H:%M:%S"],
    "keep_states": ["COMPLETED"],
}

SHIPPED: Mapping[str, Mapping[str, Any]] = {
    # The statement of one balance. Fees are in the amount; where they were asked for apart, they are rows.
    "wise_statement": {
        "kind": "bank",
        "columns": {
            "id": "TransferWise ID",
            "booking_date": "Date",
            "value_date": "Date",
            "amount": "Amount",
            "currency": "Currency",
            "balance": "Running Balance",
            "end_to_end_id": "Payment Reference",
            "remittance": ["Description", "Payment Reference"],
            "counterparty": ["Payer Name", "Payee Name"],
            "counterparty_account": "Payee Account Number",
        },
        "date_formats": ["%d-%m-%Y", "iso"],
    },
    "revolut_business": _REVOLUT,
    # The export of October 2025 has two columns named Description.
    "revolut_business_2025": {
        **_REVOLUT,
        "columns": {**_REVOLUT["columns"], "remittance": ["Description#1", "Reference"]},
    },
}
