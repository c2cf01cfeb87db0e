"""The ladder: matches with what belongs to them, suggestions, and files of other houses.

Matches of before are not carried over: a run makes again what it finds by itself, and nobody could match by hand.
"""

from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from backoffice.kernel.tables import append_only, sql_file

# Amounts in major units, windows in business days. Files of other houses: a difference of five cents is rounding, a debit
# of up to ten a charge; a PSP's fee may be 0.20 from the schedule, because a fixed part differs by merchant.
FILES = {
    "amount_tolerance": "0.05",
    "windows": {"": 3, "CARD": 5, "CRYPTO": 1},
    "late_days": 3,
    "fee_tolerance": "0.20",
    "charge_max": "10",
    "likeness": 90,
    "parts": 12,
}
# What rungs 4 to 7 need; nothing that a run does by itself becomes wider.
CASH = {
    "amount_tolerance": {},
    "internal_days": 1,
    "windows": {"": 3, "CARD": 5, "CRYPTO": 1},
    "fee_fixed": {},
    "fx_points": "50",
    "rate_source": "",
    "likeness": 90,
    "parts": 12,
}


def load(apps, schema_editor):
    """The first rule of files, and the next version of the one of cash, which keeps what it says."""
    rule = apps.get_model("reconciliation", "Rule")
    made = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "made_by": "system: installation"}
    rule.objects.create(kind="files", version=1, parameters=FILES, note="as delivered", **made)
    before = rule.objects.filter(kind="cash").order_by("-version")[0]
    parameters = {**CASH, **before.parameters}
    rule.objects.create(
        kind="cash", version=before.version + 1, parameters=parameters, note="the upper rungs of the ladder", **made
    )


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0005_reasons_by_action"),
        ("organisation", "0004_rate_sides"),
        ("reconciliation", "0005_client_money_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.DeleteModel(name="CashMatch"),
        migrations.AddField(
            model_name="rule",
            name="request",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.request"
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
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="OutsideFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("sha256", models.CharField(max_length=64)),
                ("profile_sha256", models.CharField(max_length=64)),
                ("profile", models.JSONField()),
                ("rejected", models.JSONField(default=list)),
                ("received_at", models.DateTimeField()),
                ("received_by", models.CharField(max_length=150)),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Comparison",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("spec", models.JSONField()),
                ("spec_sha256", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                ("made_by", models.CharField(max_length=150)),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
                ("rule", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="reconciliation.rule")),
                (
                    "ours",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.outsidefile"
                    ),
                ),
                (
                    "theirs",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.outsidefile"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="OutsideLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.PositiveIntegerField()),
                ("said", models.JSONField()),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="reconciliation.outsidefile",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ComparedLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("klass", models.CharField(max_length=20, verbose_name="class")),
                (
                    "rung",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("ID", "1 same identifier"),
                            ("GROUP", "2 payout group"),
                            ("REFERENCE", "3 reference in the text"),
                            ("AMOUNT", "4 amount and day"),
                            ("FEE", "5 amount less the fee"),
                            ("FX", "5 amount at the day's rate"),
                            ("LIKENESS", "6 names or references alike"),
                            ("PARTS", "7 sum of parts"),
                            ("HAND", "by hand"),
                        ],
                        max_length=9,
                    ),
                ),
                ("others", models.JSONField(default=list)),
                ("difference", models.DecimalField(decimal_places=18, default=0, max_digits=38)),
                ("also", models.JSONField(default=list)),
                ("evidence", models.JSONField(default=dict)),
                (
                    "comparison",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="reconciliation.comparison",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="reconciliation.outsideline"
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Suggestion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "rung",
                    models.CharField(
                        choices=[
                            ("ID", "1 same identifier"),
                            ("GROUP", "2 payout group"),
                            ("REFERENCE", "3 reference in the text"),
                            ("AMOUNT", "4 amount and day"),
                            ("FEE", "5 amount less the fee"),
                            ("FX", "5 amount at the day's rate"),
                            ("LIKENESS", "6 names or references alike"),
                            ("PARTS", "7 sum of parts"),
                            ("HAND", "by hand"),
                        ],
                        max_length=9,
                    ),
                ),
                ("score", models.PositiveSmallIntegerField()),
                ("tie", models.BooleanField(default=False)),
                ("reference", models.CharField(max_length=120)),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("currency", models.CharField(max_length=10)),
                ("difference", models.DecimalField(decimal_places=18, default=0, max_digits=38)),
                ("business_date", models.DateField()),
                ("summary", models.CharField(max_length=300)),
                ("ours", models.JSONField()),
                ("theirs", models.JSONField()),
                ("evidence", models.JSONField()),
                ("fingerprint", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "open"),
                            ("ACCEPTED", "accepted"),
                            ("DISMISSED", "dismissed"),
                            ("GONE", "no longer fits"),
                        ],
                        default="OPEN",
                        max_length=9,
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
                ("rule", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="reconciliation.rule")),
                ("run", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="reconciliation.run")),
            ],
            options={
                "ordering": ["-score", "id"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="CashMatch",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "rung",
                    models.CharField(
                        choices=[
                            ("ID", "1 same identifier"),
                            ("GROUP", "2 payout group"),
                            ("REFERENCE", "3 reference in the text"),
                            ("AMOUNT", "4 amount and day"),
                            ("FEE", "5 amount less the fee"),
                            ("FX", "5 amount at the day's rate"),
                            ("LIKENESS", "6 names or references alike"),
                            ("PARTS", "7 sum of parts"),
                            ("HAND", "by hand"),
                        ],
                        max_length=9,
                    ),
                ),
                ("key", models.CharField(max_length=120)),
                ("currency", models.CharField(max_length=10)),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("difference", models.DecimalField(decimal_places=18, default=0, max_digits=38)),
                ("difference_is", models.CharField(blank=True, max_length=40)),
                ("evidence", models.JSONField()),
                ("made_by", models.CharField(max_length=150)),
                ("made_at", models.DateTimeField()),
                ("booked", models.BigIntegerField(default=0)),
                ("undone_at", models.DateTimeField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undone_reason", models.CharField(blank=True, max_length=300)),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
                ("rule", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="reconciliation.rule")),
                (
                    "run",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="reconciliation.run"),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "suggestion",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="matches",
                        to="reconciliation.suggestion",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "cash matches",
                "ordering": ["-id"],
                "permissions": [
                    ("match_cash", "Can accept a suggested match, match by hand and undo a match"),
                    ("ask_rule", "Can ask for another version of a reconciliation's rule"),
                    ("approve_rule", "Can approve another version of a reconciliation's rule"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="CashAllocation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "fact_kind",
                    models.CharField(
                        choices=[
                            ("deal", "server operation"),
                            ("journal", "ledger"),
                            ("psp", "PSP line"),
                            ("bank", "bank line"),
                        ],
                        max_length=7,
                    ),
                ),
                ("fact_id", models.BigIntegerField()),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                (
                    "match",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="reconciliation.cashmatch",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["fact_kind", "fact_id"], name="cashallocation_fact")],
            },
        ),
        migrations.AddConstraint(
            model_name="outsidefile",
            constraint=models.UniqueConstraint(fields=("entity", "sha256", "profile_sha256"), name="outsidefile_once"),
        ),
        migrations.AddConstraint(
            model_name="comparison",
            constraint=models.UniqueConstraint(
                fields=("entity", "ours", "theirs", "rule", "spec_sha256"), name="comparison_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsideline",
            constraint=models.UniqueConstraint(fields=("file", "line"), name="outsideline_once"),
        ),
        migrations.AddConstraint(
            model_name="comparedline",
            constraint=models.UniqueConstraint(fields=("comparison", "line"), name="comparedline_once"),
        ),
        migrations.AddIndex(
            model_name="suggestion",
            index=models.Index(fields=["score", "id", "entity"], name="suggestion_ranked"),
        ),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.UniqueConstraint(fields=("entity", "fingerprint"), name="suggestion_once"),
        ),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["OPEN", "GONE"]), ("decided_by__isnull", False), _connector="OR"),
                name="suggestion_decided_by_a_person",
            ),
        ),
        migrations.AddIndex(
            model_name="cashmatch",
            index=models.Index(fields=["entity", "key"], name="cashmatch_key"),
        ),
        migrations.AddIndex(
            model_name="cashmatch",
            index=models.Index(fields=["made_at", "id", "entity"], name="cashmatch_newest"),
        ),
        migrations.AddConstraint(
            model_name="cashmatch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("person", None), ("undone_at", None)),
                fields=("entity", "key"),
                name="cashmatch_by_run_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="cashmatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("undone_at", None), ("undone_by", ""), ("undone_reason", "")),
                    models.Q(
                        ("undone_at__isnull", False),
                        models.Q(("undone_by", ""), _negated=True),
                        models.Q(("undone_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="cashmatch_undone_by_somebody",
            ),
        ),
        sql_file(__file__, "allocations.sql"),
        append_only(
            "reconciliation_cashallocation",
            "reconciliation_outsidefile",
            "reconciliation_outsideline",
            "reconciliation_comparison",
            "reconciliation_comparedline",
        ),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
