"""Bank lines that are known to be payouts of PSPs by the payout itself."""

import django.db.models.deletion
from django.db import migrations, models

from backoffice.kernel.tables import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_not_yet"),
        ("organisation", "0003_places"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayoutReceipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bank_line_id", models.BigIntegerField()),
                ("psp_line_id", models.BigIntegerField()),
                ("token", models.TextField()),
                ("currency", models.CharField(max_length=10)),
                (
                    "proof",
                    models.CharField(
                        choices=[
                            ("REFERENCE", "carries its reference"),
                            ("SENDER", "comes from the PSP's account or name, and only one payout fits"),
                        ],
                        max_length=9,
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "entity",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organisation.legalentity"),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["entity", "token"], name="payoutreceipt_by_token")],
                "constraints": [
                    models.UniqueConstraint(fields=("entity", "bank_line_id"), name="payoutreceipt_once"),
                ],
            },
        ),
        append_only("accounts_payoutreceipt"),
    ]
