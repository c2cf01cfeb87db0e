"""Adyen settlement details: what a batch says, and whether it adds up."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pytest

from integrations.adapters.adyen_settlement import READER
from integrations.records import Parsed, PspKind, PspLine, Unreadable
from tests.files import parse, parse_sample, shuffled

HEADER = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,"
    "Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),Batch Number,"
    "Booking Date,Booking Date TimeZone"
)
COLUMNS = HEADER.split(",")


def row(**given: str) -> str:
    """A settled payment of 100.00 with 2.00 fees, with some cells changed (spaces written as underscores)."""
    cells = {
        "Company Account": "Broker",
        "Merchant Account": "BrokerEU",
        "Psp Reference": "PSP1",
        "Merchant Reference": "D-1",
        "Payment Method": "visa",
        "Creation Date": "2026-11-18 10:00:00",
        "TimeZone": "CET",
        "Type": "Settled",
        "Modification Reference": "MOD1",
        "Gross Currency": "EUR",
        "Gross Credit (GC)": "100.00",
        "Exchange Rate": "1",
        "Net Currency": "EUR",
        "Net Credit (NC)": "98.00",
        "Commission (NC)": "1.00",
        "Markup (NC)": "0.70",
        "Scheme Fees (NC)": "0.20",
        "Interchange (NC)": "0.10",
        "Batch Number": "7",
    }
    names = {name.replace(" ", "_").replace("(", "").replace(")", ""): name for name in COLUMNS}
    cells.update({names[name]: value for name, value in given.items()})
    return ",".join(cells.get(name, "") for name in COLUMNS)


NO_GROSS = {"Gross_Credit_GC": "", "Commission_NC": "", "Markup_NC": "", "Scheme_Fees_NC": "", "Interchange_NC": ""}


def payout(amount: str, currency: str = "EUR", text: str = "TX4242XT batch 7; BrokerEU", **more: str) -> str:
    cells = NO_GROSS | {"Psp_Reference": "", "Type": "MerchantPayout", "Modification_Reference": text, **more}
    return row(**cells, Net_Credit_NC="", Net_Debit_NC=amount, Net_Currency=currency, Gross_Currency="")


def read(*lines: str) -> Parsed:
    return parse(READER, "\n".join([HEADER, *lines]) + "\n", name="batch_7.csv")


def lines(parsed: Parsed) -> list[PspLine]:
    return [cast(PspLine, record) for record in parsed.records]


def keys(parsed: Parsed) -> list[str]:
    return [line.line_key for line in lines(parsed)]


def test_a_batch_that_adds_up() -> None:
    refund = row(
        Type="refunded",
        Psp_Reference="PSP0",
        Modification_Reference="MOD0",
        Gross_Debit_GC="10.00",
        Net_Debit_NC="9.90",
        **(NO_GROSS | {"Net_Credit_NC": "", "Commission_NC": "-0.10"}),
    )
    parsed = read(row(), refund, payout("88.10"))
    payment, back, paid = lines(parsed)
    assert parsed.balanced is True
    assert [total.found for total in parsed.control_totals] == ["0.00", "1"]
    assert (payment.gross, payment.fee, payment.net) == (Decimal("100.00"), Decimal("2.00"), Decimal("98.00"))
    assert (back.kind, back.provider_type) == (PspKind.REFUND, "refunded")
    assert (back.gross, back.fee, back.net) == (Decimal("-10.00"), Decimal("-0.10"), Decimal("-9.90"))
    assert (paid.kind, paid.net, paid.bank_reference) == (PspKind.PAYOUT, Decimal("-88.10"), "TX4242XT")
    assert paid.modification_reference == "TX4242XT batch 7; BrokerEU"
    assert {line.payout_key for line in lines(parsed)} == {"batch 7 EUR"}
    assert payment.booked_at == datetime(2026, 11, 18, 9, tzinfo=UTC)
    assert payment.booked_zone == "CET"
    assert list(parsed.lines) == [2, 3, 4]
    assert not parsed.warnings
    assert not parsed.rejected


def test_direction_comes_from_the_column_and_not_from_the_type() -> None:
    # Fees larger than the payment: a settled payment that costs the broker money.
    parsed = read(row(Gross_Credit_GC="1.00", Net_Credit_NC="", Net_Debit_NC="1.00"))
    line = lines(parsed)[0]
    assert (line.kind, line.gross, line.fee, line.net) == (PspKind.PAYMENT, Decimal(1), Decimal(2), Decimal(-1))


def test_a_converted_payment_keeps_what_was_paid_and_derives_gross() -> None:
    parsed = read(row(Gross_Currency="JPY", Gross_Credit_GC="15000", Exchange_Rate="0.006666666666667"))
    line = lines(parsed)[0]
    assert (line.gross, line.fee, line.net, line.currency) == (Decimal(100), Decimal(2), Decimal(98), "EUR")
    assert (line.gross_original, line.currency_original) == (Decimal(15000), "JPY")
    assert line.exchange_rate == "0.006666666666667"
    assert not parsed.warnings
    off = read(row(Gross_Currency="JPY", Gross_Credit_GC="1500", Exchange_Rate="0.006666666666667"))
    assert lines(off)[0].gross == Decimal(100)
    assert "line 2" in off.warnings[0]


def test_fees_that_do_not_explain_net_are_said_and_net_stays() -> None:
    parsed = read(row(Net_Credit_NC="98.10"), payout("98.10"))
    line = lines(parsed)[0]
    assert line.net == line.gross - line.fee == Decimal("98.10")
    assert line.gross == Decimal(100)
    assert parsed.balanced is True
    assert "gross 100.00 less fees 2.00 is not net 98.10 EUR; the fee was taken as 1.90" in parsed.warnings[0]
    assert parsed.facts["rows_where_fees_do_not_explain_net"] == "1"


def test_a_batch_that_does_not_add_up_is_held() -> None:
    parsed = read(row(), payout("97.99"))
    assert parsed.balanced is False
    assert parsed.control_totals[0].found == "0.01"


def test_a_batch_without_payout_balances_by_its_transfer() -> None:
    away = payout("98.00", text="Balancetransfer", Type="Balancetransfer")
    parsed = read(row(), away)
    assert parsed.balanced is True
    assert lines(parsed)[1].kind is PspKind.TRANSFER
    assert lines(parsed)[1].bank_reference == ""


def test_two_currencies_and_two_batches_prove_themselves_apart() -> None:
    parsed = read(row(), row(Net_Currency="USD"), row(Batch_Number="8"), payout("98.00"), payout("98.00", "USD"))
    assert [total.holds for total in parsed.control_totals] == [True, True, False, True, True]
    assert len(set(keys(parsed))) == 5


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SettledExternally", PspKind.PAYMENT),
        ("CHARGEBACK", PspKind.CHARGEBACK),
        ("SecondChargeback", PspKind.CHARGEBACK),
        ("ChargebackReversed", PspKind.CHARGEBACK_REVERSED),
        ("RefundedReversed", PspKind.REFUND_REVERSED),
        ("InvoiceDeduction", PspKind.FEE),
        ("MiscCosts", PspKind.FEE),
        ("DepositCorrection", PspKind.RESERVE),
        ("ReserveAdjustment", PspKind.RESERVE),
        ("ManualCorrected", PspKind.ADJUSTMENT),
        ("InternalCompanyPayout", PspKind.TRANSFER),
        ("BankInstructionReturned", PspKind.PAYOUT),
        ("PaidOut", PspKind.REFUND),
        ("SomethingNew", PspKind.UNKNOWN),
        ("EpaPaid", PspKind.UNKNOWN),
    ],
)
def test_types(text: str, kind: PspKind) -> None:
    parsed = read(row(Type=text))
    assert (lines(parsed)[0].kind, lines(parsed)[0].provider_type) == (kind, text)
    assert bool(parsed.warnings) == (kind is PspKind.UNKNOWN)


def test_a_cost_row_is_its_net() -> None:
    line = lines(read(payout("38.10", Type="Fee", text="Transaction Fees November 18 2026")))[0]
    assert (line.kind, line.gross, line.fee, line.net) == (
        PspKind.FEE,
        Decimal("-38.10"),
        Decimal(0),
        Decimal("-38.10"),
    )


def test_equal_rows_are_kept_and_numbered_and_a_doubled_file_is_held() -> None:
    once = read(row(), payout("98.00"))
    assert read(row(), row(), row(Psp_Reference="PSP2"), payout("294.00")).balanced is True
    doubled = read(row(), payout("98.00"), row(), payout("98.00"))
    assert keys(doubled)[:2] == keys(once)
    assert len(set(keys(doubled))) == 4
    assert doubled.control_totals[0].holds
    assert doubled.balanced is False
    transfers = (payout("98.00", text="Balancetransfer", Type="Balancetransfer"), row())
    assert read(*transfers).balanced is True
    assert read(*transfers, *transfers).balanced is False


def test_a_file_glued_to_itself_rejects_the_second_header() -> None:
    text = "\n".join([HEADER, row(), payout("98.00")]) + "\n"
    parsed = parse(READER, text + text)
    assert [bad.line for bad in parsed.rejected] == [4]
    assert parsed.balanced is False


def test_rows_without_a_reference_are_known_by_content_in_any_order() -> None:
    fees = [payout(amount, Type="Fee", text="Transaction Fees") for amount in ("1.00", "2.00", "2.00")]
    one, other = read(*fees), read(*reversed(fees))
    assert {line.line_key: line.net for line in lines(one)} == {line.line_key: line.net for line in lines(other)}
    assert len(set(keys(one))) == 3


def test_reading_twice_gives_the_same_and_columns_may_stand_in_any_order() -> None:
    text = "\n".join([HEADER, row(), row(Psp_Reference="PSP2", Type="Chargeback"), payout("98.00")])
    first = parse(READER, text)
    assert list(parse(READER, text).records) == list(first.records)
    for seed in range(5):
        mixed = shuffled(text, lambda names, seed=seed: random.Random(seed).sample(names, len(names)))  # type: ignore[misc]
        assert list(parse(READER, mixed).records) == list(first.records)
    for variant in (b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode(), text.encode("cp1252")):
        assert list(parse(READER, variant).records) == list(first.records)


def test_a_cp1252_file_is_read_and_said() -> None:
    parsed = parse(READER, f"{HEADER}\n{row(Merchant_Reference='Zürich')}\n".encode("cp1252"))
    assert lines(parsed)[0].merchant_reference == "Zürich"
    assert parsed.facts["encoding"] == "cp1252"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"Net_Credit_NC": "NaN"}, "Net Credit (NC)"),
        ({"Net_Credit_NC": "1e5"}, "Net Credit (NC)"),
        ({"Net_Credit_NC": "98;00"}, "Net Credit (NC)"),
        ({"Net_Credit_NC": '"1,234.50"'}, "Net Credit (NC)"),
        ({"Commission_NC": "Infinity"}, "Commission (NC)"),
        ({"Gross_Credit_GC": "x"}, "Gross Credit (GC)"),
        ({"Net_Debit_NC": "98.00"}, "Net Debit (NC)"),
        ({"Net_Credit_NC": "-98.00"}, "Net Credit (NC)"),
        ({"Net_Credit_NC": ""}, "Net Debit (NC)"),
        ({"Gross_Debit_GC": "5.00"}, "Gross Debit (GC)"),
        ({"Gross_Debit_GC": "5.00", "Gross_Currency": "USD"}, "Gross Debit (GC)"),
        ({"Net_Currency": ""}, "Net Currency"),
        ({"Batch_Number": " "}, "Batch Number"),
        ({"Type": ""}, "Type"),
        ({"Creation_Date": "18/11/2026 10:00"}, "Creation Date"),
        ({"Creation_Date": "2026-02-30 10:00:00"}, "Creation Date"),
        ({"Creation_Date": "0001-01-01 00:00:00"}, "Creation Date"),
        ({"Booking_Date": "tomorrow"}, "Booking Date"),
    ],
)
def test_a_bad_field_rejects_its_row_and_holds_the_file(given: dict[str, str], field: str) -> None:
    if "Gross_Debit_GC" in given and "Gross_Currency" not in given:
        given = given | {"Gross_Credit_GC": "77.00"}
    parsed = read(row(Psp_Reference="PSP0"), row(**given), payout("98.00"))
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(3, field)]
    assert len(parsed.records) == 2
    assert parsed.balanced is False


def test_both_gross_columns_filled_is_read_where_net_settles_it() -> None:
    parsed = read(row(Gross_Debit_GC="55.00"))
    assert lines(parsed)[0].gross == Decimal(100)
    assert "both filled" in parsed.warnings[0]


def test_unknown_zone_keeps_the_row_as_utc_and_says_so() -> None:
    parsed = read(row(TimeZone="XYZ"), row(TimeZone="XYZ", Psp_Reference="PSP2"), payout("196.00"))
    assert lines(parsed)[0].booked_at == datetime(2026, 11, 18, 10, tzinfo=UTC)
    assert parsed.balanced is True
    assert parsed.warnings == [
        "time zone 'XYZ', 2 times, first on line 2: " + "the time zone is not known; the time was taken as UTC."
    ]


def test_booking_date_wins_and_the_clock_change_is_settled_by_the_abbreviation() -> None:
    when = {"Booking_Date": "2026-10-25 02:30:00"}
    summer, winter = (read(row(**when, Booking_Date_TimeZone=zone)) for zone in ("CEST", "CET"))
    assert lines(summer)[0].booked_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert lines(winter)[0].booked_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert not summer.warnings
    doubtful = read(row(**when, Booking_Date_TimeZone="Europe/Amsterdam"))
    assert "happens twice" in doubtful.warnings[0]


def test_an_unknown_currency_is_kept_as_it_is() -> None:
    assert lines(read(row(Net_Currency="xQ9", Gross_Currency="xQ9")))[0].currency == "xQ9"


def test_a_header_alone_is_no_batch() -> None:
    parsed = parse(READER, HEADER + "\n")
    assert (len(parsed.records), parsed.balanced) == (0, None)
    assert parsed.warnings == ["The file has a header and no rows."]


def test_a_file_cut_in_the_middle_is_held() -> None:
    text = "\n".join([HEADER, row(), payout("98.00")])
    cut = parse(READER, text[: text.index("MerchantPayout") + 5])
    assert [bad.field for bad in cut.rejected] == ["row"]
    assert cut.balanced is False


def test_another_report_is_refused_by_its_missing_columns() -> None:
    with pytest.raises(Unreadable, match=r"batch_7\.csv: line 1: no column 'Type'"):
        parse(READER, HEADER.replace(",Type", ",Record Type") + "\n", name="batch_7.csv")


def test_sample_batch_380() -> None:
    parsed = parse_sample(READER, "psp/adyen_settlement_detail_report_batch_380.csv")
    found = lines(parsed)
    assert len(found) == 228
    assert parsed.balanced is True
    assert [line.kind for line in found].count(PspKind.PAYMENT) == 220
    assert [line.kind for line in found].count(PspKind.REFUND) == 6
    assert sum(line.net for line in found) == 0
    (paid,) = (line for line in found if line.kind is PspKind.PAYOUT)
    (fee,) = (line for line in found if line.kind is PspKind.FEE)
    assert (paid.net, paid.bank_reference, paid.payout_key) == (Decimal("-55308.07"), "TX635094301XT", "batch 380 USD")
    assert fee.net == Decimal("-38.10")
    assert sum(line.fee for line in found) == Decimal("389.63")
    assert all(line.net == line.gross - line.fee for line in found)
    assert len(set(keys(parsed))) == 228
    assert not parsed.warnings


def test_sample_batch_238_balances_by_its_transfers() -> None:
    parsed = parse_sample(READER, "psp/adyen_settlement_detail_report_batch_238.csv")
    assert (len(parsed.records), parsed.balanced) == (3, True)
    assert [line.kind for line in lines(parsed)] == [PspKind.TRANSFER, PspKind.FEE, PspKind.TRANSFER]


def test_sample_batch_1128_has_two_currencies_of_zero() -> None:
    parsed = parse_sample(READER, "psp/adyen_settlement_detail_report_batch_1128_two_currencies.csv")
    assert (len(parsed.records), parsed.balanced) == (15, True)
    paid = [(line.currency, line.net, line.bank_reference) for line in lines(parsed) if line.kind is PspKind.PAYOUT]
    assert paid == [("USD", Decimal("-59.75"), "TX53913667600XT"), ("CAD", Decimal("-9.54"), "TX53913667600XT")]
    (lost,) = (line for line in lines(parsed) if line.kind is PspKind.CHARGEBACK)
    assert (lost.gross, lost.fee, lost.net) == (Decimal("-1.00"), Decimal("10.65"), Decimal("-11.65"))


def test_sample_chargeback_has_its_fee_in_markup_and_is_held() -> None:
    parsed = parse_sample(READER, "psp/adyen_settlement_detail_report_chargeback.csv")
    lost = lines(parsed)[0]
    assert (lost.kind, lost.gross, lost.fee, lost.net) == (PspKind.CHARGEBACK, Decimal(-1), Decimal(2), Decimal(-3))
    # The publisher's file debits its payout although the batch owes money.
    assert parsed.balanced is False


def test_sample_payment_accounting_report_is_refused() -> None:
    with pytest.raises(Unreadable, match="no column"):
        parse_sample(READER, "psp/adyen_payments_accounting_report.csv")


def test_a_file_of_a_thousand_batches_is_refused() -> None:
    with pytest.raises(Unreadable, match="batches"):
        read(*(row(Batch_Number=str(number)) for number in range(1100)))
