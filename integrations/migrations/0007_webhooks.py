"""Webhooks: where they are taken in, and every one that came."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0006_payoutorder_serveroperation"),
        ("organisation", "0003_places"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.TextField()),
                ("item", models.IntegerField()),
                ("event_id", models.TextField()),
                ("verdict", models.TextField()),
                ("why", models.TextField()),
                ("kind", models.TextField()),
                ("status", models.TextField()),
                ("psp_reference", models.TextField()),
                ("original_reference", models.TextField()),
                ("merchant_reference", models.TextField()),
                ("amount", models.DecimalField(decimal_places=20, max_digits=40, null=True)),
                ("currency", models.TextField()),
                ("received_at", models.DateTimeField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("size", models.IntegerField()),
                ("headers", models.JSONField()),
                ("body", models.BinaryField()),
            ],
            options={"db_table": "integrations_webhook", "ordering": ["-id"], "managed": False},
        ),
        migrations.CreateModel(
            name="HistoricalWebhookEndpoint",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("provider", models.CharField(max_length=40)),
                ("token", models.CharField(db_index=True, max_length=64)),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("previous_until", models.DateTimeField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                ("history_change_reason", models.CharField(max_length=100, null=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="integrations.connection",
                    ),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "historical webhook endpoint",
                "verbose_name_plural": "historical webhook endpoints",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provider", models.CharField(max_length=40)),
                ("token", models.CharField(max_length=64, unique=True)),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("secrets", models.TextField(editable=False, help_text="encrypted; never shown")),
                ("previous_until", models.DateTimeField(blank=True, null=True)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="webhooks",
                        to="integrations.connection",
                    ),
                ),
            ],
            options={"ordering": ["connection_id"]},
        ),
        migrations.CreateModel(
            name="WebhookOverflow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("dropped", models.BigIntegerField()),
                ("bytes", models.BigIntegerField()),
                ("last_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="integrations.connection"
                    ),
                ),
            ],
            options={
                "ordering": ["-hour"],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "hour"), name="webhookoverflow_once"),
                ],
            },
        ),
        sql_file(__file__, "webhooks.sql"),
        append_only("integrations_webhook"),
    ]
