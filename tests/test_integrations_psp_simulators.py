"""The simulated PSPs by themselves: their faults, reports and control interface, asked without our adapters."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest

from backoffice.kernel import clock
from integrations.adapters import checkout
from integrations.simulators.psp.book import BadRequest, Payout
from tests.psp_world import ADDRESS, SECRET, running


def call(simulator, method, path, body=None, **headers):
    link = http.client.HTTPConnection("127.0.0.1", int(simulator.url.rsplit(":", 1)[1]), timeout=5)
    sent = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json", **headers}
    link.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
    reply = link.getresponse()
    return reply.status, json.loads(reply.read() or b"{}")


def payout(reference="W-00000001", amount=5000):
    return {
        "source": {"type": "currency_account", "id": "ca_1"}, "destination": {"type": "id", "id": "src_1"},
        "amount": amount, "currency": "USD", "reference": reference,
    }  # fmt: skip


def pay(simulator, reference="W-00000001", key="W-00000001", amount=5000):
    return call(simulator, "POST", "/payments", payout(reference, amount), **{"Cko-Idempotency-Key": key})


def test_a_key_pays_once_and_a_forgetful_psp_pays_again():
    with running("card") as simulator:
        assert (
            pay(simulator)
            == pay(simulator)
            == (201, {"id": "pay_000001", "status": "Pending", "reference": "W-00000001"})
        )
        simulator.control.run("behave", {"forgetful": True})
        assert pay(simulator)[1]["id"] == "pay_000002"
        status, listed = call(simulator, "GET", "/payments?reference=W-00000001&limit=10")
        assert (status, listed["total_count"]) == (200, 2)


def test_wrong_keys_and_wrong_bodies_are_refused():
    with running("card") as simulator:
        assert call(simulator, "POST", "/payments", payout(), Authorization="Bearer x")[0] == 401
        for spoiled in ({"amount": 0}, {"amount": "5"}, {"currency": "EURO"}, {"destination": {}}, {"source": {}}):
            assert call(simulator, "POST", "/payments", {**payout(), **spoiled})[0] == 422, spoiled
        assert simulator.control.run("state", {})["payouts"] == 0
    with running("crypto") as simulator:
        assert call(simulator, "POST", "/api/v2/withdrawal/crypto", {"address": ADDRESS})[0] == 403


def test_the_settlement_breakdown_is_what_our_reader_reads_and_adds_up():
    with running("card") as simulator:
        number = simulator.control.run("payment", {"reference": "D-00000001", "amount": "200.00", "currency": "USD"})[
            "number"
        ]
        pay(simulator, "W-00000001", "a", 5000)
        pay(simulator, "W-00000002", "b", 3000)
        call(simulator, "POST", f"/payments/pay_{number:06d}/refunds", {"amount": 2500, "reference": "W-00000003"})
        simulator.control.run("settle", {})
        simulator.control.run("return", {"reference": "W-00000002"})
        text = simulator.control.run("report", {"day": clock.today().isoformat()})["csv"]
    parsed = checkout.READER.parse(io.BytesIO(text.encode()), filename="breakdown.csv", settings={})
    assert list(parsed.rejected) == []
    by_kind = {(line.kind.value, line.merchant_reference): line.gross for line in parsed.records}
    assert by_kind == {
        ("PAYMENT", "D-00000001"): Decimal("200.00"), ("REFUND", "W-00000001"): Decimal("-50.00"),
        ("REFUND", "W-00000002"): Decimal("-30.00"), ("REFUND_REVERSED", "W-00000002"): Decimal("30.00"),
        ("REFUND", "W-00000003"): Decimal("-25.00"),
    }  # fmt: skip
    for line in parsed.records:
        assert line.net == line.gross - line.fee


def test_the_crypto_report_adds_up_and_shows_what_came_back():
    with running("crypto") as simulator:
        simulator.control.run("payment", {"reference": "D-00000001", "amount": "100", "currency": "USDT"})
        simulator.book.pay("k", _wanted())
        simulator.control.run("settle", {})
        simulator.control.run("return", {"reference": "W-00000001"})
        rows = list(
            csv.DictReader(io.StringIO(simulator.control.run("report", {"day": clock.today().isoformat()})["csv"]))
        )
    assert [(row["type"], row["amount"]) for row in rows] == [
        ("deposit", "100"), ("withdrawal", "-40"), ("withdrawal_return", "40"),
    ]  # fmt: skip
    assert all(Decimal(row["amount"]) - Decimal(row["fee"]) == Decimal(row["net"]) for row in rows)


def _wanted():
    return Payout(0, "W-00000001", Decimal(40), "USDT", clock.now(), destination={"address": ADDRESS})


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("fault", {"kind": "earthquake"}), ("storm", {"seed": 1, "shares": {"drop": 0.6, "off": 0.6}}), ("fly", {}),
        ("settle", {"reference": "W-99999999"}), ("deliver", {"url": "https://example.com/hook"}), ("report", {}),
    ],
)  # fmt: skip
def test_orders_that_make_no_sense_are_refused(name, request_):
    with running("card") as simulator, pytest.raises(BadRequest):
        simulator.control.run(name, request_)


def test_the_control_interface_is_for_programs_of_this_machine():
    with running("card") as simulator:
        assert call(simulator, "POST", "/sim/state", {})[0] == 200
        assert call(simulator, "POST", "/sim/state", {}, **{"Content-Type": "text/plain"})[0] == 403
        assert call(simulator, "POST", "/sim/state", {}, Host="evil.example")[0] == 403
        assert call(simulator, "GET", "/sim/state")[0] == 403


@pytest.mark.parametrize("name", ["psp_card", "psp_crypto"])
def test_it_runs_as_a_program_and_ends_cleanly(name):
    process = subprocess.Popen(
        [sys.executable, "-m", f"integrations.simulators.{name}", "--secret-env", "PSP_SECRET"],
        stdout=subprocess.PIPE, env={**os.environ, "PSP_SECRET": "s"}, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
    process.terminate()
    assert process.wait(20) == 0
