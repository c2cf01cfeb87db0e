"""Orders of money to the outside: balance operations at trade servers, payouts at PSPs."""

import django.db.models.deletion
from django.db import migrations, models

from backoffice.kernel.tables import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0005_margins"),
        ("organisation", "0003_places"),
        ("outbox", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayoutOrder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=10, unique=True)),
                ("key", models.CharField(max_length=120, unique=True)),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("currency", models.CharField(max_length=10)),
                ("destination", models.JSONField(default=dict)),
                ("original_reference", models.CharField(blank=True, max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("OPEN", "not sent"),
                            ("SENT", "sent"),
                            ("PAID", "paid"),
                            ("FAILED", "failed"),
                            ("RETURNED", "returned"),
                        ],
                        default="OPEN",
                        max_length=8,
                    ),
                ),
                ("psp_reference", models.CharField(blank=True, max_length=80)),
                ("duplicates", models.JSONField(default=list)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("asked_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("state_at", models.DateTimeField()),
                ("look_at", models.DateTimeField(null=True)),
                ("looks", models.PositiveIntegerField(default=0)),
                (
                    "connection",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="integrations.connection"),
                ),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payout_order", to="outbox.message"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("retry_payoutorder", "Can retry a payout at a PSP")],
                "indexes": [
                    models.Index(fields=["entity", "id"], name="payoutorder_newest"),
                    models.Index(
                        condition=models.Q(("look_at__isnull", False)), fields=["look_at", "id"], name="payoutorder_due"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="payoutorder_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["SENT", "PAID", "RETURNED"]), _negated=True),
                            models.Q(("psp_reference", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="payoutorder_sent_has_reference",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("psp_reference", ""), _negated=True),
                        fields=("connection", "psp_reference"),
                        name="payoutorder_psp_reference_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServerOperation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("login", models.BigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("BALANCE", "balance"),
                            ("CREDIT", "credit"),
                            ("CHARGE", "charge"),
                            ("CORRECTION", "correction"),
                            ("BONUS", "bonus"),
                        ],
                        max_length=12,
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("currency", models.CharField(blank=True, max_length=10)),
                ("reference", models.CharField(max_length=10)),
                ("comment", models.CharField(max_length=31)),
                ("key", models.CharField(max_length=120, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("OPEN", "open"), ("DONE", "done"), ("REFUSED", "refused")],
                        default="OPEN",
                        max_length=8,
                    ),
                ),
                ("ticket", models.BigIntegerField(null=True)),
                ("duplicates", models.JSONField(default=list)),
                ("asked_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="integrations.connection"),
                ),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="server_operation",
                        to="outbox.message",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("retry_serveroperation", "Can retry a balance operation at a server")],
                "indexes": [
                    models.Index(fields=["entity", "id"], name="serveroperation_newest"),
                    models.Index(fields=["login", "id"], name="serveroperation_by_login"),
                    models.Index(fields=["reference", "id"], name="serveroperation_by_reference"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount", 0), _negated=True), name="serveroperation_amount_not_zero"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "DONE"), ("ticket__gt", 0), ("ticket__isnull", False)),
                            models.Q(models.Q(("state", "DONE"), _negated=True), ("ticket", None)),
                            _connector="OR",
                        ),
                        name="serveroperation_done_has_ticket",
                    ),
                    models.UniqueConstraint(fields=("connection", "ticket"), name="serveroperation_ticket_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "OPEN")),
                        fields=("connection", "login", "kind", "amount", "reference"),
                        name="serveroperation_one_open",
                    ),
                ],
            },
        ),
        sql_file(__file__, "operations.sql"),
    ]
