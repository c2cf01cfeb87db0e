"""Mapping profiles: what they refuse, how amounts, dates and directions are read, and what a file then proves."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from integrations.adapters.csv_profile import READER
from integrations.adapters.csv_profile import profile as profiles
from integrations.adapters.csv_profile.mapping import Mapped, MappedRows
from integrations.adapters.csv_profile.shipped import SHIPPED
from integrations.adapters.reading import Findings
from integrations.records import BankLine, Parsed, PspKind, Unreadable
from tests.files import parse, sample

BANK: Mapping[str, Any] = {
    "kind": "bank",
    "columns": {"id": "Id", "booking_date": "Date", "amount": "Amount", "currency": "Currency", "balance": "Balance"},
    "constants": {"account": "CH93"},
}


def read(spec: Mapping[str, Any], text: str | bytes, account: str = "") -> Parsed:
    given = dict(spec)
    if account:
        given["constants"] = {**spec.get("constants", {}), "account": account}
    return parse(READER, text, {"profile": json.dumps(given)})


def lines(parsed: Parsed) -> list[BankLine]:
    return [cast(BankLine, record) for record in parsed.records]


def one_amount(text: str, **spec: Any) -> Decimal | str:
    """A single amount by a profile: the number, or the field that refuses it."""
    parsed = read({**BANK, "delimiter": "|", **spec}, f"Id|Date|Amount|Currency|Balance\n1|2026-11-16|{text}|EUR|\n")
    return lines(parsed)[0].amount if parsed.records else parsed.rejected[0].field


def mapped(spec: Mapping[str, Any], text: str) -> tuple[list[Mapped], Findings]:
    findings = Findings()
    profile = profiles.read(json.dumps(spec))
    return list(MappedRows(io.BytesIO(text.encode()), filename="f", profile=profile, findings=findings)), findings


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"kind": "crypto"}, "kind"),
        ({"surprise": 1}, "surprise"),
        ({"format": "xml"}, "format"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"encoding": "utf-16"}, "encoding"),
        ({"encoding": "klingon"}, "encoding"),
        ({"header_line": 0}, "header_line"),
        ({"header_line": True}, "header_line"),
        ({"columns": {}}, "columns"),
        ({"columns": []}, "columns"),
        ({"columns": {"nonsense": "X"}}, "columns.nonsense"),
        ({"columns": {"amount": ["A", "B"]}}, "columns.amount"),
        ({"columns": {"amount": ""}}, "columns.amount"),
        ({"constants": {"amount": "5"}}, "constants.amount"),
        ({"constants": {"account": 5}}, "constants.account"),
        ({"constants": {"account": "A", "currency": "EUR"}}, "constants.currency"),
        ({"constants": {}}, "columns.account"),
        ({"decimal": ";"}, "decimal"),
        ({"thousands": "x"}, "thousands"),
        ({"thousands": "."}, "thousands"),
        ({"minor_units": {"EUR": 2}}, "minor_units"),
        ({"minor_units": {"*": -1}}, "minor_units.*"),
        ({"sign": "guess"}, "sign"),
        ({"sign": "pair"}, "columns.debit"),
        ({"sign": "direction"}, "columns.direction"),
        ({"fee_sign": "x"}, "fee_sign"),
        ({"date_formats": []}, "date_formats"),
        ({"date_formats": ["dd.mm.yyyy"]}, "date_formats"),
        ({"time_zone": "Mars/Phobos"}, "time_zone"),
        ({"types": {"x": "GIFT"}}, "types.x"),
        ({"keep_states": ["DONE"]}, "columns.state"),
        ({"key": ["end_to_end_id"]}, "columns.end_to_end_id"),
    ],
)
def test_a_profile_that_cannot_be_names_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(Unreadable) as refused:
        profiles.read(json.dumps({**BANK, **change}))
    assert f"'{key}'" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"kind": 1}', "[" * 100_000])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="Profile: "):
        profiles.read(text)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_are_right_but_for_the_account(name: str) -> None:
    spec = SHIPPED[name]
    account = {} if "account" in spec["columns"] else {"constants": {"account": "A"}}
    assert profiles.read(json.dumps({**spec, **account})).kind == "bank"


@pytest.mark.parametrize(
    ("text", "spec", "found"),
    [
        ("9'165.80", {"thousands": "'"}, Decimal("9165.80")),
        ("-1'000'000.5", {"thousands": "'"}, Decimal("-1000000.5")),
        ("9165.80", {"thousands": "'"}, Decimal("9165.80")),
        ("91'65.80", {"thousands": "'"}, "Amount"),
        ("9'165.80", {}, "Amount"),
        ("1.234,50", {"decimal": ",", "thousands": "."}, Decimal("1234.50")),
        ("1,234.50", {"decimal": ",", "thousands": "."}, "Amount"),
        ("1,50", {"decimal": ","}, Decimal("1.50")),
        ("1.50", {"decimal": ","}, "Amount"),
        ("1,234.50", {"thousands": ","}, Decimal("1234.50")),
        ("1 234.50", {"thousands": " "}, Decimal("1234.50")),
        ("1234", {"minor_units": {"*": 2, "JPY": 0}}, Decimal("12.34")),
        ("12.34", {"minor_units": {"*": 2}}, "Amount"),
        ("1e3", {}, "Amount"),
        ("=1+1", {}, "Amount"),
        ("NaN", {}, "Amount"),
        ("", {}, "Amount"),
    ],
)
def test_amounts_are_read_as_the_profile_says_and_never_guessed(
    text: str, spec: dict[str, Any], found: Decimal | str
) -> None:
    assert one_amount(text, **spec) == found


@pytest.mark.parametrize(
    ("debit", "credit", "sign", "found"),
    [
        ("5.00", "", "pair", Decimal("-5.00")),
        ("", "5.00", "pair", Decimal("5.00")),
        ("0.00", "5.00", "pair", Decimal("5.00")),
        ("-5.00", "", "pair_signed", Decimal("-5.00")),
        ("-5.00", "", "pair", "D"),
        ("5.00", "", "pair_signed", "D"),
        ("", "-5.00", "pair", "D"),
        ("5.00", "5.00", "pair", "D"),
    ],
)
def test_two_columns_make_one_sign(debit: str, credit: str, sign: str, found: Decimal | str) -> None:
    columns = {"booking_date": "Date", "debit": "D", "credit": "C", "currency": "Currency"}
    parsed = read({**BANK, "columns": columns, "sign": sign}, f"Date,D,C,Currency\n2026-11-16,{debit},{credit},EUR\n")
    assert (lines(parsed)[0].amount if parsed.records else parsed.rejected[0].field) == found


@pytest.mark.parametrize(
    ("way", "amount", "found"),
    [
        ("IN", "5", Decimal(5)),
        ("out", "5", Decimal(-5)),
        ("IN", "-5", "Amount"),
        ("SIDEWAYS", "5", "Way"),
        ("", "5", "Way"),
    ],
)
def test_a_direction_says_the_sign(way: str, amount: str, found: Decimal | str) -> None:
    columns = {"booking_date": "Date", "amount": "Amount", "direction": "Way", "currency": "Currency"}
    spec = {**BANK, "columns": columns, "sign": "direction", "money_in": ["IN"], "money_out": ["OUT", "FEE"]}
    parsed = read(spec, f"Date,Amount,Way,Currency\n2026-11-16,{amount},{way},EUR\n")
    assert (lines(parsed)[0].amount if parsed.records else parsed.rejected[0].field) == found


@pytest.mark.parametrize(
    ("text", "formats", "found"),
    [
        ("16.11.2026", ["%d.%m.%Y"], date(2026, 11, 16)),
        ("2026-11-16", ["iso"], date(2026, 11, 16)),
        ("16/11/2026", ["iso", "%d/%m/%Y"], date(2026, 11, 16)),
        ("2026-11-15T23:30:00Z", ["iso"], date(2026, 11, 16)),
        ("31.02.2026", ["%d.%m.%Y"], None),
        ("0001-01-01", ["iso"], None),
        ("16 Nov", ["iso"], None),
        ("", ["iso"], None),
    ],
)
def test_days_are_of_the_profiles_zone(text: str, formats: list[str], found: date | None) -> None:
    spec = {**BANK, "date_formats": formats, "time_zone": "Europe/Athens"}
    parsed = read(spec, f"Id,Date,Amount,Currency,Balance\n1,{text},5,EUR,\n")
    assert [line.booking_date for line in lines(parsed)] == ([found] if found else [])


def test_an_hour_that_does_not_exist_is_refused_and_one_that_does_is_utc() -> None:
    spec = {
        "kind": "psp",
        "columns": {"booked_at": "At", "net": "Net"},
        "constants": {"currency": "EUR"},
        "types": {"*": "PAYMENT"},
        "time_zone": "Europe/Athens",
    }
    parsed = read(spec, "At,Net\n2026-03-29 03:30:00,5\n2026-11-16 12:00:00,5\n")
    assert [bad.line for bad in parsed.rejected] == [2]
    assert parsed.records[0].booked_at == datetime(2026, 11, 16, 10, tzinfo=UTC)  # type: ignore[union-attr]


def statement(*rows: str) -> str:
    return "\n".join(["Id,Date,Amount,Currency,Balance", *rows]) + "\n"


def test_a_running_balance_proves_a_file_in_either_order() -> None:
    rows = ["1,2026-11-16,100,EUR,100", "2,2026-11-16,-30,EUR,70", "3,2026-11-17,5.5,EUR,75.5"]
    for order in (rows, list(reversed(rows))):
        parsed = read(BANK, statement(*order))
        assert parsed.balanced is True
        assert [t.name for t in parsed.control_totals] == ["CH93 EUR: balances follow from the amounts"]
    for bad in (rows[:1] + rows[2:], [rows[0], rows[1].replace("-30", "30"), rows[2]], [*rows, rows[0], rows[1]]):
        assert read(BANK, statement(*bad)).balanced is False


def test_balances_are_per_account_and_currency() -> None:
    rows = ["1,2026-11-16,100,EUR,100", "1,2026-11-16,7,USD,7", "2,2026-11-16,-30,EUR,70", "2,2026-11-16,1,USD,8"]
    parsed = read(BANK, statement(*rows))
    assert (parsed.balanced, len(parsed.control_totals)) == (True, 2)


def test_a_fee_beside_a_bank_amount_is_a_charge_of_its_own() -> None:
    columns = {**BANK["columns"], "fee": "Fee"}
    parsed = read(
        {**BANK, "columns": columns},
        "Id,Date,Amount,Fee,Currency,Balance\n1,2026-11-16,100,0,EUR,100\n2,2026-11-16,-30,0.50,EUR,69.50\n",
    )
    assert [(line.amount, line.bank_code) for line in lines(parsed)] == [
        (Decimal(100), ""),
        (Decimal(-30), ""),
        (Decimal("-0.50"), "CHRG"),
    ]
    assert (parsed.balanced, list(parsed.lines)) == (True, [2, 3, 3])


def test_two_headers_of_one_name_are_told_apart_by_number() -> None:
    text = "Id,Description,Date,Amount,Currency,Balance,Description\n1,first,2026-11-16,5,EUR,,second\n"
    for number, word in (("#1", "first"), ("#2", "second")):
        columns = {**BANK["columns"], "remittance": f"Description{number}"}
        assert lines(read({**BANK, "columns": columns}, text))[0].remittance == word
    with pytest.raises(Unreadable, match="stands there twice"):
        read({**BANK, "columns": {**BANK["columns"], "remittance": "Description"}}, text)


def test_what_stands_above_the_headers_and_below_the_rows_is_passed_over() -> None:
    text = 'Account:;CH93\nFrom:;="2026-11-01"\n\nId;Date;Amount;Currency;Balance\n1;2026-11-16;5;EUR;\nTotal;;5;;\n'
    parsed = read({**BANK, "delimiter": ";", "header_line": 4, "skip_rows": ["Total"]}, text)
    assert (len(parsed.records), parsed.rejected, list(parsed.lines)) == (1, [], [5])


def test_a_missing_header_refuses_the_file_or_is_said() -> None:
    text = statement("1,2026-11-16,5,EUR,5")
    with pytest.raises(Unreadable, match="no column 'Amount'"):
        read(BANK, text.replace("Amount", "Sum"))
    parsed = read({**BANK, "columns": {**BANK["columns"], "counterparty": "Payer"}}, text)
    assert parsed.warnings == ["the file has no column 'Payer', so counterparty is empty."]


def test_rows_in_other_states_are_counted_and_left_out() -> None:
    columns = {**BANK["columns"], "state": "State"}
    spec = {**BANK, "columns": columns, "keep_states": ["COMPLETED"]}
    rows = ("1,2026-11-16,5,EUR,5,completed", "2,2026-11-16,9,EUR,5,REVERTED", "3,nonsense,x,,,PENDING")
    parsed = read(spec, "\n".join(["Id,Date,Amount,Currency,Balance,State", *rows]) + "\n")
    assert (len(parsed.records), parsed.rejected, parsed.facts["rows_in_other_states"]) == (1, [], "2")


def test_equal_rows_stay_two_and_a_row_is_known_again_when_the_profile_changes() -> None:
    columns = {name: header for name, header in BANK["columns"].items() if name not in ("id", "balance")}
    text = statement("1,2026-11-16,5,EUR,", "1,2026-11-16,5,EUR,", "2,2026-11-17,5,EUR,")
    first = read({**BANK, "columns": columns}, text)
    keys = [line.line_key for line in lines(first)]
    assert len(set(keys)) == 3
    second = read({**BANK, "columns": {**columns, "remittance": "Id"}}, text)
    assert [line.line_key for line in lines(second)] == keys
    assert lines(second)[0].remittance == "1"


def test_psp_amounts_follow_from_each_other() -> None:
    spec = {
        "kind": "psp",
        "columns": {"booked_at": "At", "gross": "Gross", "fee": "Fee", "currency": "Ccy", "type": "Type"},
        "types": {"deposit": "PAYMENT", "withdrawal": "REFUND"},
        "fee_sign": "signed",
    }
    parsed = read(spec, "At,Gross,Fee,Ccy,Type\n2026-11-16,100,-2,usd,Deposit\n2026-11-16,-50,,USD,withdrawal\n")
    found = [(r.kind, r.gross, r.fee, r.net, r.currency) for r in parsed.records]  # type: ignore[union-attr]
    assert found == [
        (PspKind.PAYMENT, 100, 2, 98, "USD"),
        (PspKind.REFUND, -50, 0, -50, "USD"),
    ]
    assert parsed.balanced is None


def test_a_type_that_is_not_in_the_profile_is_kept_and_said() -> None:
    spec = {
        "kind": "psp",
        "columns": {"booked_at": "At", "net": "Net", "type": "Type"},
        "constants": {"currency": "EUR"},
        "types": {"sale": "PAYMENT"},
    }
    parsed = read(spec, "At,Net,Type\n2026-11-16,5,gift\n")
    assert parsed.records[0].kind is PspKind.UNKNOWN  # type: ignore[union-attr]
    assert "not in the profile" in parsed.warnings[0]


# JSON

JSON: Mapping[str, Any] = {
    "kind": "ledger",
    "format": "json",
    "columns": {"id": "id", "amount": "amount", "currency": "ccy", "booked_at": "at", "order": "order"},
}


def test_json_numbers_keep_every_digit_and_bad_objects_are_rejected_alone() -> None:
    text = """[
        {"id": 1, "amount": 0.100000000000000055, "ccy": "eur", "at": "2026-11-16T10:00:00Z", "order": null},
        {"id": "2", "amount": "5.00", "ccy": "EUR", "at": "2026-11-16", "order": {"a": 1}},
        {"id": "3", "amount": NaN, "ccy": "EUR", "at": "2026-11-16"},
        {"id": "4", "amount": true, "ccy": "EUR", "at": "2026-11-16"},
        {"id": "5", "ccy": "EUR", "at": "yesterday", "amount": "1"},
        "six", [7], null
    ]"""
    rows, findings = mapped(JSON, text)
    assert [row.money("amount") for row in rows] == [Decimal("0.100000000000000055"), Decimal("5.00")]
    assert [(row.line, row.text("id"), row.text("order")) for row in rows] == [(1, "1", ""), (2, "2", '{"a": "1"}')]
    assert [(bad.line, bad.field) for bad in findings.rejected()] == [
        (3, "amount"), (4, "amount"), (5, "at"), (6, "row"), (7, "row"), (8, "row"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{}", "null", "[1,", "\ufffe", '{"a": [1]}', "[" * 100_000])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        mapped(JSON, text)


def test_a_ledger_is_no_file_of_a_connection() -> None:
    with pytest.raises(Unreadable, match="manage reconcile"):
        parse(READER, "[]", {"profile": json.dumps(JSON)})


ACQUIRER: Mapping[str, Any] = {
    "kind": "psp",
    "format": "json",
    "columns": {
        "id": "acquirer_tx_id",
        "booked_at": "settlement_date",
        "gross": "gross_amount",
        "fee": "fee_amount",
        "net": "net_amount",
        "currency": "currency",
        "merchant_reference": "order_id",
        "modification_reference": "authorization_code",
        "payout_key": "settlement_id",
    },
    "types": {"*": "PAYMENT"},
}
LEDGER: Mapping[str, Any] = {
    "kind": "ledger",
    "columns": {
        "id": "ledger_tx_id",
        "booked_at": "occurred_at",
        "amount": "amount",
        "currency": "currency",
        "reference": "order_id",
        "authorization": "authorization_code",
        "description": "description",
    },
}
STATEMENT: Mapping[str, Any] = {
    "kind": "bank",
    "columns": {
        "id": "bank_entry_id",
        "booking_date": "booking_date",
        "amount": "amount",
        "currency": "currency",
        "account": "bank_account",
        "end_to_end_id": "end_to_end_id",
        "remittance": ["description", "reference"],
    },
}
EXPORT: Mapping[str, Any] = {
    "kind": "ledger",
    "format": "json",
    "columns": {
        "id": "ledger_entry_id",
        "booked_at": "posted_at",
        "amount": "amount",
        "currency": "currency",
        "account": "account_id",
        "reference": "reference",
        "end_to_end_id": "end_to_end_id",
    },
}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("context-01-card-acquirer-settlement/acquirer-settlement.json", ACQUIRER),
        ("context-01-card-acquirer-settlement/ledger-midaz.csv", LEDGER),
        ("context-02-bank-statement-vs-ledger/bank-statement.csv", STATEMENT),
        ("context-02-bank-statement-vs-ledger/midaz-ledger-export.json", EXPORT),
    ],
)
def test_labelled_files_are_read_whole(name: str, spec: Mapping[str, Any]) -> None:
    text = sample(f"recon_labelled/{name}").read_text()
    rows, findings = mapped(spec, text)
    assert (len(rows), findings.rejected()) == (1000, [])
    assert all("scenario" not in row.values for row in rows)


# Wise and Revolut, by the headers their files have

WISE = (
    "TransferWise ID,Date,Amount,Currency,Description,Payment Reference,Running Balance,Exchange From,Exchange To,"
    "Exchange Rate,Payer Name,Payee Name,Payee Account Number,Merchant,Total fees"
)
REVOLUT = (
    "Date started (UTC),Date completed (UTC),ID,Type,State,Description,Reference,Payer,Card number,Orig currency,"
    "Orig amount,Payment currency,Amount,Total amount,Exchange rate,Fee,Fee currency,Balance,Account,"
    "Beneficiary account number"
)


def test_a_wise_statement() -> None:
    rows = (
        "TRANSFER-2,17-11-2026,-40.55,EUR,Sent money to Ada,W-AAAAAAAA,59.45,,,,,Ada Lovelace,GB29,,0.55",
        "TRANSFER-1,16-11-2026,100.00,EUR,Received money,D-AAAAAAAA,100.00,,,,Zoë Müller,,,,0.00",
    )
    parsed = read(SHIPPED["wise_statement"], "\n".join([WISE, *rows]) + "\n", account="BE71")
    sent, received = lines(parsed)
    assert (sent.amount, sent.counterparty, sent.counterparty_account) == (Decimal("-40.55"), "Ada Lovelace", "GB29")
    assert (received.booking_date, received.remittance) == (date(2026, 11, 16), "Received money D-AAAAAAAA")
    assert (received.account, received.end_to_end_id, received.counterparty) == ("BE71", "D-AAAAAAAA", "Zoë Müller")
    assert (parsed.balanced, parsed.warnings) == (True, [])
    with pytest.raises(Unreadable, match=r"columns\.account"):
        read(SHIPPED["wise_statement"], WISE + "\n")


@pytest.mark.parametrize(("name", "day"), [("revolut_business", "2026-11-16"), ("revolut_business_2025", "16/11/2026")])
def test_a_revolut_statement_with_one_and_with_two_descriptions(name: str, day: str) -> None:
    rows = [
        f"{day},{day},id-3,TRANSFER,COMPLETED,To Ada,W-A,Ben,,EUR,-40,EUR,-40,-40.20,,.2,EUR,59.80,EUR Main,GB2",
        f"{day},,id-2,CARD_PAYMENT,REVERTED,Shop,,Ben,1,EUR,-9,EUR,-9,-9,,0,EUR,,EUR Main,",
        f"{day},{day},id-1,TOPUP,COMPLETED,From Zoe,D-AAAAAAAA,,,EUR,100,EUR,100,100,,0,EUR,100,EUR Main,",
    ]
    header = REVOLUT
    if name.endswith("2025"):
        header, rows = f"{REVOLUT},Description", [f"{row},spend note" for row in rows]
    parsed = read(SHIPPED[name], "\ufeff" + "\n".join([header, *rows]) + "\n")
    sent, received = lines(parsed)
    assert (sent.amount, received.amount) == (Decimal("-40.20"), Decimal(100))
    assert (received.remittance, received.booking_date) == ("From Zoe D-AAAAAAAA", date(2026, 11, 16))
    assert (received.account, parsed.balanced, parsed.facts["rows_in_other_states"]) == ("EUR Main", True, "1")


def test_shuffled_columns_are_the_same_money() -> None:
    text = statement("1,2026-11-16,100,EUR,100", "2,2026-11-16,-30,EUR,70")
    order = random.Random(4).sample(range(5), 5)
    cells = [line.split(",") for line in text.splitlines()]
    shuffled = "\n".join(",".join(row[place] for place in order) for row in cells) + "\n"
    assert list(read(BANK, shuffled).records) == list(read(BANK, text).records)
