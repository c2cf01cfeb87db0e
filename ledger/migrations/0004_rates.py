"""Reference rates entered by hand; see sql/rates.sql."""

import django.db.models.deletion
from django.db import migrations, models

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0001_initial"),
        ("ledger", "0003_periods"),
        ("organisation", "0004_rate_sides"),
    ]

    operations = [
        migrations.CreateModel(
            name="ManualRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                (
                    "rate",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entered",
                        to="organisation.fxrate",
                    ),
                ),
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="approvals.request"
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("ask_manualrate", "Can ask to enter a reference rate"),
                    ("approve_manualrate", "Can approve a reference rate entered by hand"),
                ],
                "default_permissions": (),
            },
        ),
        sql_file(__file__, "rates.sql"),
        append_only("ledger_manualrate"),
    ]
