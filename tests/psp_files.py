"""Good files of each PSP reader, row by row, so that a test changes one thing of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.adapters import checkout, csv_profile, paypal_stl, stripe
from integrations.ports import FileReader

SEVERAL = 3

STRIPE_HEADER = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,charge_id,"
    "description,automatic_payout_id,automatic_payout_effective_at_utc,payment_metadata[reference],trace_id"
)


def stripe_row(number: int, **given: str) -> str:
    """A charge of 100.00 with 3.00 fee in payout po_1, with some cells changed."""
    cells = {
        "balance_transaction_id": f"txn_{number}",
        "created_utc": "2026-11-16 10:00:00",
        "available_on_utc": "2026-11-18 00:00:00",
        "currency": "eur",
        "gross": "100.00",
        "fee": "3.00",
        "net": "97.00",
        "reporting_category": "charge",
        "source_id": f"ch_{number}",
        "charge_id": f"ch_{number}",
        "description": "Deposit",
        "automatic_payout_id": "po_1",
        "automatic_payout_effective_at_utc": "2026-11-18 00:00:00",
        "payment_metadata[reference]": f"D-0000000{number}",
        **given,
    }
    return ",".join(cells.get(name, "") for name in STRIPE_HEADER.split(","))


def stripe_payout(amount: str, **given: str) -> str:
    cells = {"gross": amount, "fee": "0.00", "net": amount, "reporting_category": "payout", "source_id": "po_1"}
    return stripe_row(9, **(cells | {"charge_id": "", "payment_metadata[reference]": "", "trace_id": "TR1"} | given))


def stripe_file(second: str = "100.00", **given: str) -> str:
    rows = [stripe_row(n, **(given if n == 1 else {})) for n in range(SEVERAL)]
    if second != "100.00":
        rows[1] = stripe_row(1, gross=second)
    return "\n".join([STRIPE_HEADER, *rows, stripe_payout("-291.00")]) + "\n"


STL_HEADER = (
    "CH,Transaction ID,Invoice ID,PayPal Reference ID,PayPal Reference ID Type,Transaction Event Code,"
    "Transaction Initiation Date,Transaction Completion Date,Transaction Debit or Credit,Gross Transaction Amount,"
    "Gross Transaction Currency,Fee Debit or Credit,Fee Amount,Fee Currency,Custom Field,Bank Reference ID"
)


def stl_row(number: int, **given: str) -> str:
    """A payment of 100.00 with 3.00 fee, with some cells changed (by header, blanks as underscores)."""
    cells = {
        "CH": "SB",
        "Transaction_ID": f"TX{number}",
        "Invoice_ID": f"D-0000000{number}",
        "Transaction_Event_Code": "T0006",
        "Transaction_Initiation_Date": "2026/11/16 02:00:00 -0800",
        "Transaction_Completion_Date": "2026/11/16 02:00:01 -0800",
        "Transaction_Debit_or_Credit": "CR",
        "Gross_Transaction_Amount": "10000",
        "Gross_Transaction_Currency": "EUR",
        "Fee_Debit_or_Credit": "DR",
        "Fee_Amount": "300",
        "Fee_Currency": "EUR",
        **given,
    }
    return ",".join(cells.get(name.replace(" ", "_"), "") for name in STL_HEADER.split(","))


def stl(*rows: str, footers: tuple[str, ...], count: int | None = None) -> str:
    number = len(rows) if count is None else count
    head = "SH,2026/11/16 00:00:00 -0800,2026/11/16 23:59:59 -0800,ACCOUNT1"
    tail = [*footers, f"SC,{number}", f"RC,{number}", f"FF,{number}"]
    return "\n".join([head, STL_HEADER, *rows, *tail]) + "\n"


STL_FOOTER = "SF,EUR,30000,0,0,900,CR,1000,CR,30100,CR,1000,CR,30100"


def stl_file(second: str = "10000", **given: str) -> str:
    rows = [stl_row(n, **(given if n == 1 else {})) for n in range(SEVERAL)]
    if second != "10000":
        rows[1] = stl_row(1, Gross_Transaction_Amount=second)
    return stl(*rows, footers=(STL_FOOTER,))


CHECKOUT_HEADER = (
    "Client Entity ID,Type,Payment ID,Reference,Processed On,Available On,Holding Currency,Payout ID,"
    "Gross In Holding Currency,Deduction In Holding Currency,Net In Holding Currency,"
    "Processing Fee In Holding Currency,"
    "Scheme Fee In Holding Currency,Interchange In Holding Currency,Tax In Holding Currency,"
    "Reserve In Holding Currency,Processing Currency,Gross In Processing Currency,FX Rate Applied,Payment Method"
)
PAYOUTS_HEADER = "Payout ID,Payout Date,Payout Amount,Holding Currency,Payments,Card Payment Gateway Fees"


def checkout_row(number: int, **given: str) -> str:
    cells = {
        "Type": "Charge",
        "Payment_ID": f"pay_{number}",
        "Reference": f"D-0000000{number}",
        "Processed_On": "2026-11-16T10:00:00.000",
        "Available_On": "2026-11-18T00:00:00.000",
        "Holding_Currency": "EUR",
        "Payout_ID": "PO1",
        "Gross_In_Holding_Currency": "100",
        "Deduction_In_Holding_Currency": "-3",
        "Net_In_Holding_Currency": "97",
        "Processing_Fee_In_Holding_Currency": "-3",
        "Processing_Currency": "EUR",
        "Gross_In_Processing_Currency": "100",
        **given,
    }
    return ",".join(cells.get(name.replace(" ", "_"), "") for name in CHECKOUT_HEADER.split(","))


def checkout_file(second: str = "100", **given: str) -> str:
    rows = [checkout_row(n, **(given if n == 1 else {})) for n in range(SEVERAL)]
    if second != "100":
        rows[1] = checkout_row(1, Gross_In_Holding_Currency=second)
    return "\n".join([CHECKOUT_HEADER, *rows]) + "\n"


def checkout_payouts(amount: str = "291", payout: str = "PO1") -> str:
    return f"{PAYOUTS_HEADER}\n{payout},2026-11-18T02:00:00.000,{amount},EUR,300,-9\n"


PROFILE: Mapping[str, Any] = {
    "kind": "psp",
    "delimiter": ";",
    "decimal": ",",
    "thousands": ".",
    "columns": {
        "id": "Id",
        "booked_at": "Date",
        "type": "Kind",
        "gross": "Amount",
        "fee": "Fee",
        "net": "Net",
        "currency": "Currency",
        "merchant_reference": "Order",
        "payout_key": "Batch",
    },
    "date_formats": ["%d.%m.%Y %H:%M"],
    "time_zone": "Europe/Athens",
    "types": {"sale": "PAYMENT", "back": "REFUND", "paid": "PAYOUT"},
}


def profile_row(number: int, **given: str) -> str:
    cells = {
        "id": f"P{number}",
        "date": "16.11.2026 12:00",
        "kind": "sale",
        "amount": "1.100,00",
        "fee": "3,00",
        "net": "1.097,00",
        "currency": "eur",
        "order": f"D-0000000{number}",
        "batch": "B1",
        **given,
    }
    return ";".join(cells.values())


def profile_file(second: str = "1.100,00", **given: str) -> str:
    rows = [profile_row(n, **(given if n == 1 else {})) for n in range(SEVERAL)]
    if second != "1.100,00":
        rows[1] = profile_row(1, amount=second)
    paid = profile_row(9, kind="paid", amount="-3.291,00", fee="", net="-3.291,00", order="")
    return "\n".join(["Id;Date;Kind;Amount;Fee;Net;Currency;Order;Batch", *rows, paid]) + "\n"


@dataclass(frozen=True)
class Good:
    """A reader with a good file of three payments. `with_amount` writes the second payment's amount another way;
    `proves` says whether the file notices a lost or doubled row by itself."""

    reader: FileReader
    settings: Mapping[str, str]
    text: str
    with_amount: Callable[[str], str]
    field: str
    line: int
    records: int
    proves: bool = True

    @property
    def name(self) -> str:
        return self.reader.name


GOOD = (
    Good(stripe.READER, {}, stripe_file(), stripe_file, "gross", 3, 4),
    Good(paypal_stl.READER, {}, stl_file(), stl_file, "Gross Transaction Amount", 4, 3),
    Good(checkout.READER, {}, checkout_file(), checkout_file, "Gross In Holding Currency", 3, 3, proves=False),
    Good(csv_profile.READER, {"profile": json.dumps(PROFILE)}, profile_file(), profile_file, "Amount", 3, 4),
)
