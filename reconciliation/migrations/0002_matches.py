"""Matches, guards, and the first version of each rule."""

from datetime import UTC, datetime

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

FIRST = {
    # Prices of the client and of the liquidity provider may differ by the mark-up: 0.05 % of the price.
    "trades": {"late_seconds": 60, "price_tolerance": "0.0005", "off": []},
    "balances": {"off": []},
    # Business days: a card or bank deposit has three to arrive, a payout three to reach the bank.
    "cash": {"external_days": 3, "payout_days": 3, "fee_rate": {}, "fee_tolerance": "0.01", "off": []},
}


def load(apps, schema_editor):
    rule = apps.get_model("reconciliation", "Rule")
    for kind, parameters in FIRST.items():
        rule.objects.create(
            kind=kind,
            version=1,
            parameters=parameters,
            note="as delivered",
            made_at=datetime(2026, 1, 1, tzinfo=UTC),
            made_by="system: installation",
        )


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0001_initial"),
        ("organisation", "0002_house"),
        ("integrations", "0002_facts"),
        ("ledger", "0002_books"),
    ]
    operations = [
        sql_file(__file__, "matches.sql"),
        append_only("reconciliation_rule", "reconciliation_breakevent"),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
