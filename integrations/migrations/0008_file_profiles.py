"""Mapping profiles, and the day from which the money of a PSP line may be had."""

import django.db.models.deletion
from django.db import migrations, models

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0007_webhooks"),
        ("organisation", "0003_places"),
    ]

    operations = [
        migrations.CreateModel(
            name="FileProfile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=40)),
                ("version", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(choices=[("psp", "PSP"), ("bank", "bank"), ("ledger", "ledger")], max_length=6),
                ),
                ("spec", models.JSONField()),
                ("note", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField()),
                ("made_by", models.CharField(max_length=150)),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
            ],
            options={
                "ordering": ["name", "-version"],
                "constraints": [
                    models.UniqueConstraint(fields=("entity", "name", "version"), name="fileprofile_once"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="fileprofile_counted"),
                ],
            },
        ),
        append_only("integrations_fileprofile"),
        sql_file(__file__, "psp_available.sql"),
    ]
