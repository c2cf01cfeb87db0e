"""Severity of breaks and the limits that follow from it, with the rule that says which."""

from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Amounts in the entity's reporting currency, ages in business days; "4h" are hours, "2d" business days. What ages by itself
# need not be taken up at once.
BREAKS = {
    "amount_tiers": {"MEDIUM": "1000", "HIGH": "10000", "CRITICAL": "100000"},
    "age_tiers": {"MEDIUM": 1, "HIGH": 3, "CRITICAL": 5},
    "own": {
        "": {"LOW": "2d", "MEDIUM": "1d", "HIGH": "4h", "CRITICAL": "1h"},
        "TIMING": {"LOW": "3d", "MEDIUM": "2d"},
    },
    "resolve": {"": {"LOW": "7d", "MEDIUM": "5d", "HIGH": "3d", "CRITICAL": "1d"}},
}


def load(apps, schema_editor):
    apps.get_model("reconciliation", "Rule").objects.create(
        kind="breaks",
        version=1,
        parameters=BREAKS,
        note="as delivered",
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        made_by="system: installation",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("organisation", "0004_rate_sides"),
        ("reconciliation", "0008_allocation_sets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="break",
            name="graded_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.rule"
            ),
        ),
        migrations.AddField(
            model_name="break",
            name="own_by",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="break",
            name="resolve_by",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="break",
            name="severity",
            field=models.PositiveSmallIntegerField(
                choices=[(1, "low"), (2, "medium"), (3, "high"), (4, "critical")], db_default=1, default=1
            ),
        ),
        migrations.AddField(
            model_name="break",
            name="severity_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="breakevent",
            name="event",
            field=models.CharField(
                choices=[
                    ("OPENED", "opened"),
                    ("CHANGED", "difference changed"),
                    ("GRADED", "severity changed"),
                    ("ASSIGNED", "assigned"),
                    ("EXPLAINED", "explained"),
                    ("RESOLVED", "resolved"),
                    ("REOPENED", "opened again"),
                    ("FETCHED", "fetched from the server"),
                    ("PUSHED", "sent to the server again"),
                    ("WRITE_OFF_ASKED", "write-off asked for"),
                    ("WRITTEN_OFF", "written off"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="rule",
            name="kind",
            field=models.CharField(
                choices=[
                    ("trades", "trades: books, server, liquidity provider"),
                    ("balances", "balances: server against ledger"),
                    ("cash", "cash: ledger, server, PSP, payout, bank"),
                    ("accounts", "accounts: rights, group and leverage wanted against the server"),
                    ("files", "files: another ledger against files of PSP or bank"),
                    ("breaks", "breaks: severity and time limits"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="break",
            index=models.Index(fields=["severity", "opened_at", "id", "entity"], name="break_by_severity"),
        ),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
