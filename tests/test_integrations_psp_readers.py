"""Readers of Stripe, PayPal, Checkout.com and of profiles: hostile files, and what each proves of itself."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

import pytest

from integrations.adapters import adyen_payments, checkout, paypal_stl, stripe
from integrations.records import Parsed, PspKind, PspLine, Unreadable
from integrations.services.facts import psp_day
from tests import psp_files as files
from tests.files import parse, parse_sample, shuffled
from tests.psp_files import GOOD, Good

every = pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)


def read(good: Good, body: str | bytes) -> Parsed:
    return parse(good.reader, body, good.settings, name="day.csv")


def lines(parsed: Parsed) -> list[PspLine]:
    return [cast(PspLine, record) for record in parsed.records]


def wrong(parsed: Parsed) -> list[str]:
    return [total.name for total in parsed.control_totals if not total.holds]


# Hostile files, every reader


@every
def test_the_good_file_proves_itself(good: Good) -> None:
    parsed = read(good, good.text)
    assert (len(parsed.records), parsed.balanced, parsed.rejected) == (good.records, True, [])
    assert len({line.line_key for line in lines(parsed)}) == good.records
    assert all(line.net == line.gross - line.fee for line in lines(parsed))
    again = read(good, good.text)
    assert list(again.records) == list(parsed.records)


@every
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n\n",
        b"\xef\xbb\xbf",
        b"\x00" * 5000,
        b"<html><body>Sign in</body></html>",
        b"%PDF-1.7",
        b"\x1f\x8b\x08",
    ],
    ids=lambda body: repr(body[:8]),
)
def test_what_is_no_such_file_is_refused_by_name(good: Good, body: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read(good, body)
    assert "day.csv" in str(refused.value)
    assert str(refused.value).endswith((".", "?"))


@every
@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16-LE", "UTF-32"])
def test_other_encodings_are_refused(good: Good, encoding: str) -> None:
    with pytest.raises(Unreadable):
        read(good, good.text.encode(encoding))


@every
def test_a_bomb_is_not_unpacked(good: Good) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bytes(20_000_000))
    with pytest.raises(Unreadable, match="zip archive"):
        read(good, packed.getvalue())


@every
@pytest.mark.parametrize(
    "amount",
    [
        "NaN", "-NaN", "Infinity", "-inf", "1e2", "1E+2", "1_000", "0x64", "100.00 EUR", "--100", "100.0.0", "١٠٠",
        "１００", "∞", "9" * 40, "abc", "=1+1", "100\u00a0000", "1;000", "(100)",
    ],
)  # fmt: skip
def test_an_amount_that_is_no_plain_number_rejects_its_row_and_holds_the_file(good: Good, amount: str) -> None:
    quoted = f'"{amount}"' if ";" in amount else amount
    parsed = read(good, good.with_amount(quoted))
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(good.line, good.field)]
    assert len(parsed.records) == good.records - 1, "the others are kept"
    assert parsed.balanced is False


@every
def test_a_file_cut_anywhere_never_passes_for_whole(good: Good) -> None:
    body = good.text.rstrip("\n").encode()
    for end in range(body.index(b"\n") + 2, len(body) - 1, 11):
        try:
            parsed = read(good, body[:end])
        except Unreadable:
            continue
        whole_lines = body[:end].count(b"\n") and not parsed.rejected
        if good.proves:
            kinds = [line.kind for line in lines(parsed)]
            assert parsed.balanced is not True or PspKind.PAYOUT not in kinds, f"cut at {end}"
        else:
            assert parsed.balanced is False or whole_lines, f"cut at {end}"


@every
def test_a_doubled_file_is_held(good: Good) -> None:
    for body in (good.text + good.text, good.text + good.text.split("\n", 1)[1]):
        assert read(good, body).balanced is False


@every
def test_a_payment_twice_is_held_where_the_file_can_know(good: Good) -> None:
    rows = good.text.splitlines(keepends=True)
    parsed = read(good, "".join([*rows[: good.line], rows[good.line - 1], *rows[good.line :]]))
    assert (parsed.balanced is False) == good.proves
    assert any("before" in warning or "time in this file" in warning for warning in parsed.warnings)


@every
@pytest.mark.parametrize("variant", ["bom", "crlf", "cp1252", "blank lines"])
def test_variants_of_a_file_are_the_same_lines(good: Good, variant: str) -> None:
    text = good.text.replace("D-00000001", "Zoë Müller")
    body = {
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "crlf": text.replace("\n", "\r\n").encode(),
        "cp1252": text.encode("cp1252"),
        "blank lines": text.replace("\n", "\n\n").encode(),
    }[variant]
    parsed = read(good, body)
    assert list(parsed.records) == list(read(good, text).records)
    assert "Zoë Müller" in {line.merchant_reference for line in lines(parsed)}


@every
@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "<script>alert(1)</script>", "@SUM(A1)", "Robert') DROP TABLE x"])
def test_formulas_and_scripts_are_texts(good: Good, text: str) -> None:
    parsed = read(good, good.text.replace("D-00000001", text))
    assert text in {line.merchant_reference for line in lines(parsed)}
    assert parsed.balanced is True


@pytest.mark.parametrize("good", [one for one in GOOD if one.name in ("stripe", "checkout")], ids=lambda one: one.name)
def test_columns_in_another_order_are_the_same_lines(good: Good) -> None:
    parsed = read(good, shuffled(good.text, lambda names: list(reversed(names))))
    assert list(parsed.records) == list(read(good, good.text).records)


def test_one_wrong_amount_is_found_by_the_totals_of_each() -> None:
    assert wrong(read(GOOD[0], files.stripe_file("100.01"))) == ["net is gross less fee"]
    both = files.stripe_file(gross="100.01", net="97.01")
    assert wrong(read(GOOD[0], both)) == ["payout po_1, EUR: lines less what was paid out"]
    assert wrong(read(GOOD[1], files.stl_file("10001"))) == [
        "section, EUR: gross credits",
        "section, EUR: begin and lines are end",
    ]
    assert wrong(read(GOOD[2], files.checkout_file("100.01"))) == ["net is gross and deduction"]
    assert wrong(read(GOOD[3], files.profile_file("1.100,01"))) == ["net is gross less fee"]


# Stripe


def test_stripe_lines_say_what_a_booking_needs() -> None:
    payment, *_, payout = lines(read(GOOD[0], GOOD[0].text))
    assert (payment.kind, payment.gross, payment.fee, payment.net) == (PspKind.PAYMENT, 100, 3, 97)
    assert (payment.currency, payment.merchant_reference, payment.payout_key) == ("EUR", "D-00000000", "po_1")
    assert (payment.booked_at, payment.booked_zone) == (datetime(2026, 11, 16, 10, tzinfo=UTC), "UTC")
    assert payment.available_on == date(2026, 11, 18)
    assert (payout.kind, payout.net, payout.bank_reference, payout.payout_key) == (PspKind.PAYOUT, -291, "TR1", "po_1")


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("refund", PspKind.REFUND), ("charge_failure", PspKind.REFUND), ("refund_failure", PspKind.REFUND_REVERSED),
        ("dispute", PspKind.CHARGEBACK), ("dispute_reversal", PspKind.CHARGEBACK_REVERSED), ("FEE", PspKind.FEE),
        ("network_cost", PspKind.FEE), ("payout_reversal", PspKind.PAYOUT), ("risk_reserved_funds", PspKind.RESERVE),
        ("topup", PspKind.TRANSFER), ("other_adjustment", PspKind.ADJUSTMENT), ("something_new", PspKind.UNKNOWN),
    ],
)  # fmt: skip
def test_stripe_categories(category: str, kind: PspKind) -> None:
    parsed = read(GOOD[0], files.stripe_file(reporting_category=category))
    assert lines(parsed)[1].kind is kind
    assert any("not known" in warning for warning in parsed.warnings) == (kind is PspKind.UNKNOWN)


def test_a_stripe_fee_without_a_payout_belongs_to_the_only_one_of_its_time() -> None:
    body = files.stripe_file().replace("-291.00", "-290.00")
    fee = files.stripe_row(5, gross="-1.00", fee="0", net="-1.00", reporting_category="fee", automatic_payout_id="")
    parsed = read(GOOD[0], body + fee + "\n")
    assert (lines(parsed)[-1].payout_key, parsed.balanced) == ("po_1", True)
    two = body + fee + "\n" + files.stripe_row(6, automatic_payout_id="po_2") + "\n"
    parsed = read(GOOD[0], two)
    assert lines(parsed)[-2].payout_key == ""
    assert wrong(parsed) == ["payout po_1, EUR: lines less what was paid out"]


def test_a_stripe_payout_made_by_hand_proves_nothing() -> None:
    alone = files.stripe_row(1, automatic_payout_id="") + "\n" + files.stripe_payout("-50.00", automatic_payout_id="")
    parsed = read(GOOD[0], f"{files.STRIPE_HEADER}\n{alone}\n")
    assert (lines(parsed)[1].payout_key, parsed.balanced) == ("po_1", True)
    assert [total.name for total in parsed.control_totals] == ["net is gross less fee", "rows stated once"]


DASHBOARD = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Transfer,reference (metadata)"


@pytest.mark.parametrize(
    ("amount", "decimal", "found"),
    [
        ('"1234,50"', "auto", Decimal("1234.50")),
        ('"-3,5"', "auto", Decimal("-3.5")),
        ("1234.50", "auto", Decimal("1234.50")),
        ('"1,234"', "auto", None),
        ('"1,234.50"', "auto", None),
        ('"1,234"', "comma", Decimal("1.234")),
        ("1.234", "comma", None),
        ('"12,50"', "point", None),
    ],
)
def test_a_comma_is_read_only_where_it_can_be_one_thing(amount: str, decimal: str, found: Decimal | None) -> None:
    row = f"txn_1,charge,ch_1,{amount},0,{amount},eur,2026-11-16 10:00,2026-11-18 00:00,po_1,D-00000001"
    parsed = parse(stripe.READER, f"{DASHBOARD}\n{row}\n", {"decimal": decimal})
    assert [line.gross for line in lines(parsed)] == ([] if found is None else [found])
    assert [bad.field for bad in parsed.rejected] == (["Amount"] if found is None else [])
    assert parsed.balanced is (found is not None)


def test_a_point_and_a_comma_in_one_file_hold_it() -> None:
    rows = [f'txn_{n},charge,ch,{a},"0,00",{a},eur,2026-11-16 10:00,,,' for n, a in enumerate(['"1,50"', "1.50"])]
    parsed = parse(stripe.READER, "\n".join([DASHBOARD, *rows]) + "\n")
    assert wrong(parsed) == ["one decimal character"]


def test_stripe_settings_that_cannot_be_are_refused() -> None:
    for settings in ({"decimal": "maybe"}, {"time_zone": "Mars/Phobos"}):
        with pytest.raises(Unreadable, match="connection's"):
            parse(stripe.READER, files.stripe_file(), settings)
    with pytest.raises(Unreadable, match="no column 'Fee', 'Net'"):
        parse(stripe.READER, "id,Type,Amount,Currency,Created (UTC)\n")


def test_sample_stripe_rolling_reserve() -> None:
    parsed = parse_sample(stripe.READER, "psp/stripe_balance_rolling_reserve_20231010.csv")
    found = lines(parsed)
    assert (len(found), parsed.balanced) == (12, True)
    held = [line for line in found if line.kind is PspKind.RESERVE]
    assert [line.net for line in held if line.net < 0] == [Decimal("-23.75")]
    (release,) = (line for line in held if line.net == Decimal("23.75"))
    assert (release.available_on, psp_day(release)) == (date(2023, 10, 13), date(2023, 10, 13))
    (hold,) = (line for line in held if line.net < 0)
    assert psp_day(hold) == date(2023, 10, 4)
    assert len([line for line in found if line.payout_key == ""]) == 3
    payout = "po_1Nzr7YKh5QAlWt1CBKvGMVAL"
    assert sum(line.net for line in found if line.payout_key == payout) == Decimal("593.04")


def test_sample_stripe_dashboard_has_a_decimal_comma_and_five_payouts() -> None:
    parsed = parse_sample(stripe.READER, "psp/stripe_dashboard_transactions_20231004.csv")
    found = lines(parsed)
    assert (len(found), parsed.balanced) == (18, True)
    paid = {line.payout_key: -line.net for line in found if line.kind is PspKind.PAYOUT}
    assert sorted(paid.values()) == [Decimal(x) for x in ("1.96", "9.60", "18.45", "75.57", "185.48")]
    for payout, amount in paid.items():
        mine = [line for line in found if line.payout_key == payout]
        charged = sum(line.net for line in mine if line.kind is PspKind.PAYMENT)
        hold = sum(-line.net for line in mine if line.kind is PspKind.RESERVE)
        assert charged - hold == amount
        assert hold == 0 or abs(hold * 4 - charged) < Decimal("0.03")


def test_sample_stripe_hand_edited_is_held_and_named() -> None:
    parsed = parse_sample(stripe.READER, "psp/stripe_settlement_report_hand_edited.csv")
    assert parsed.balanced is False
    assert wrong(parsed) == ["net is gross less fee", "payout po_test123, USD: lines less what was paid out"]
    assert "line 7: gross 24.00 less fee 0.00 is not net 23.05 USD." in parsed.warnings


# PayPal


def test_paypal_directions_fees_and_codes() -> None:
    rows = (
        files.stl_row(1),
        files.stl_row(2, Transaction_Event_Code="T1107", Transaction_Debit_or_Credit="DR", Fee_Debit_or_Credit="CR"),
        files.stl_row(3, Transaction_Event_Code="T0001", Transaction_Debit_or_Credit="DR", Fee_Amount=""),
        files.stl_row(4, Transaction_Event_Code="T0400", Transaction_Debit_or_Credit="DR", Bank_Reference_ID="B7"),
        files.stl_row(5, Transaction_Event_Code="T1110", Transaction_Debit_or_Credit="DR", Fee_Amount="0"),
        files.stl_row(6, Transaction_Event_Code="T7777", Fee_Amount=""),
    )
    footer = "SF,EUR,20000,40000,300,600,CR,100000,CR,79700"
    parsed = parse(paypal_stl.READER, files.stl(*rows, footers=(footer,)))
    assert parsed.balanced is True, wrong(parsed)
    found = lines(parsed)
    kinds = [line.kind for line in found]
    assert kinds == [
        PspKind.PAYMENT, PspKind.REFUND, PspKind.REFUND, PspKind.PAYOUT, PspKind.RESERVE, PspKind.UNKNOWN,
    ]  # fmt: skip
    assert [line.net for line in found] == [97, -97, -100, -103, -100, 100]
    assert (found[1].gross, found[1].fee) == (-100, -3)
    assert (found[3].payout_key, found[3].bank_reference) == ("TX4", "B7")
    assert found[0].booked_at == datetime(2026, 11, 16, 10, 0, 1, tzinfo=UTC)
    assert found[0].booked_zone == "-0800"


def test_paypal_whole_units_where_the_connection_says_so() -> None:
    row = files.stl_row(1, Gross_Transaction_Currency="JPY", Fee_Currency="JPY")
    body = files.stl(row, footers=("SF,JPY,10000,0,0,300,CR,0,CR,9700",))
    assert lines(parse(paypal_stl.READER, body))[0].gross == 100
    assert lines(parse(paypal_stl.READER, body, {"whole_currencies": "jpy, huf"}))[0].gross == 10000


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"Gross_Transaction_Amount": "-100"}, "Gross Transaction Amount"),
        ({"Gross_Transaction_Amount": "100.00"}, "Gross Transaction Amount"),
        ({"Transaction_Debit_or_Credit": "XX"}, "Transaction Debit or Credit"),
        ({"Transaction_Debit_or_Credit": ""}, "Transaction Debit or Credit"),
        ({"Fee_Currency": "USD"}, "Fee Currency"),
        ({"Transaction_Completion_Date": "2026-11-16 02:00:01"}, "Transaction Completion Date"),
        ({"Transaction_Completion_Date": "2026/02/30 02:00:01 -0800"}, "Transaction Completion Date"),
        ({"Transaction_ID": ""}, "Transaction ID"),
        ({"CH": "ZZ"}, "row"),
    ],
)
def test_a_bad_paypal_field_rejects_its_row_and_holds_the_file(given: dict[str, str], field: str) -> None:
    parsed = read(GOOD[1], files.stl_file(**given))
    assert [(bad.line, bad.field) for bad in parsed.rejected] == [(4, field)]
    assert (len(parsed.records), parsed.balanced) == (2, False)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("SF,EUR,30000", "SF,EUR,30001", "section, EUR: gross credits"),
        (",900,CR", ",901,CR", "section, EUR: fee debits"),
        ("SF,EUR,30000", "SF,EUR,abc", "section, EUR: gross credits"),
        ("SC,3", "SC,4", "section: number of lines"),
        ("RC,3", "RC,2", "report: number of lines"),
        ("FF,3", "FF,9", "file: number of lines"),
    ],
)
def test_a_paypal_total_that_does_not_hold_is_named(old: str, new: str, name: str) -> None:
    body = files.stl_file()
    assert old in body
    assert name in wrong(read(GOOD[1], body.replace(old, new)))


def test_paypal_needs_one_of_its_two_balances_and_a_closed_section() -> None:
    body = files.stl_file()
    assert read(GOOD[1], body.replace("CR,1000,CR,30100,CR,1000", "CR,999,CR,30100,CR,1000")).balanced is True
    both = body.replace("CR,1000,CR,30100,CR,1000,CR,30100", "CR,999,CR,30100,CR,999,CR,30100")
    assert wrong(read(GOOD[1], both)) == ["section, EUR: begin and lines are end"]
    cut = body[: body.index("SF,")]
    assert "section: closed by a footer or a count" in wrong(read(GOOD[1], cut))
    parsed = read(GOOD[1], body[: body.index("RC,")])
    assert parsed.balanced is True, "report and file rows may be missing"


def test_sample_paypal_ties_as_its_publisher_says() -> None:
    parsed = parse_sample(paypal_stl.READER, "psp/paypal_STL-20260106.01.009.csv")
    assert (len(parsed.records), parsed.balanced) == (5, True)
    totals = {total.name: (total.expected, total.found) for total in parsed.control_totals}
    assert totals["section, USD: begin and lines are end"] == ("10017.49", "10017.49")
    assert totals["section, HKD: begin and lines are end"] == ("431.33", "431.33")
    assert totals["section, BRL: no footer, so credits less debits are zero"] == ("0.00", "0.00")
    assert [warning for warning in parsed.warnings if "HKD" in warning and "332.89 to 431.33, does" in warning]
    assert not [warning for warning in parsed.warnings if "USD" in warning]
    legs = [(line.currency, line.net) for line in lines(parsed) if line.kind is PspKind.CONVERSION]
    assert legs == [("BRL", Decimal("-13.56")), ("USD", Decimal("2.41"))]


# Checkout.com


def test_checkout_puts_the_reserve_apart() -> None:
    row = files.checkout_row(
        1,
        Deduction_In_Holding_Currency="-13",
        Net_In_Holding_Currency="87",
        Reserve_In_Holding_Currency="-10",
    )
    payment, held = lines(parse(checkout.READER, f"{files.CHECKOUT_HEADER}\n{row}\n"))
    assert (payment.kind, payment.gross, payment.fee, payment.net) == (PspKind.PAYMENT, 100, 3, 97)
    assert (held.kind, held.gross, held.fee, held.net) == (PspKind.RESERVE, -10, 0, -10)
    assert held.line_key != payment.line_key


def test_checkout_keeps_what_the_payer_paid_in() -> None:
    given = {"Processing_Currency": "BRL", "Gross_In_Processing_Currency": "587.10", "FX_Rate_Applied": "0.17"}
    row = files.checkout_row(1, **given)
    (line,) = lines(parse(checkout.READER, f"{files.CHECKOUT_HEADER}\n{row}\n"))
    assert (line.gross, line.currency) == (100, "EUR")
    assert (line.gross_original, line.currency_original, line.exchange_rate) == (Decimal("587.10"), "BRL", "0.17")


@pytest.mark.parametrize(
    ("type_", "gross", "kind"),
    [
        ("Refund", "100", PspKind.REFUND), ("CHARGEBACK", "100", PspKind.CHARGEBACK), ("Void", "0", PspKind.FEE),
        ("Merchant Payout", "0", PspKind.FEE), ("Charge", "0", PspKind.FEE), ("Something New", "0", PspKind.FEE),
        ("Something New", "100", PspKind.UNKNOWN), ("Rolling Reserve", "100", PspKind.RESERVE),
        ("Payout To Card", "100", PspKind.REFUND),
    ],
)  # fmt: skip
def test_checkout_types(type_: str, gross: str, kind: PspKind) -> None:
    net = str(int(gross) - 3)
    row = files.checkout_row(1, Type=type_, Gross_In_Holding_Currency=gross, Net_In_Holding_Currency=net)
    (line,) = lines(parse(checkout.READER, f"{files.CHECKOUT_HEADER}\n{row}\n"))
    assert line.kind is kind
    assert (line.gross, line.fee) == ((int(net), 0) if kind is PspKind.FEE else (int(gross), 3))


def test_sample_checkout_breakdown_is_what_its_payout_says() -> None:
    parsed = parse_sample(checkout.READER, "psp/checkoutcom_settlement_breakdown.csv")
    (payout,) = lines(parse_sample(checkout.READER, "psp/checkoutcom_payouts.csv"))
    assert (len(parsed.records), parsed.balanced) == (9, True)
    assert sum(line.net for line in lines(parsed)) == Decimal("79.50") == -payout.net
    assert {line.payout_key for line in lines(parsed)} == {payout.payout_key} == {"00000003K599"}


# Adyen, payments accounting


def test_sample_adyen_payments_is_a_state_and_no_money() -> None:
    parsed = parse_sample(adyen_payments.READER, "psp/adyen_payments_accounting_report.csv")
    (line,) = lines(parsed)
    assert (line.kind, line.provider_type) == (PspKind.PAYMENT_STATE, "Settled")
    assert (line.gross, line.fee, line.net, line.currency) == (Decimal("2.85"), 0, 0, "EUR")
    assert (line.psp_reference, line.merchant_reference) == ("ABCDE3HSQP412345", "2289.11")
    assert (line.payout_key, parsed.balanced, parsed.warnings) == ("batch 1138 EUR", None, [])
