"""Logins of the house's own, and the permissions of marking them, of passwords and of lifting trading restrictions."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from accounts.models.clients import PERMISSIONS
from backoffice.kernel.tables import append_only


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_wallet_guards"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.AlterModelOptions(name="client", options={"ordering": ["number"], "permissions": PERMISSIONS}),
        migrations.AddField(model_name="tradingaccount", name="technical", field=models.BooleanField(default=False)),
        migrations.AddField(
            model_name="historicaltradingaccount", name="technical", field=models.BooleanField(default=False)
        ),
        migrations.CreateModel(
            name="TechnicalMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("technical", models.BooleanField()),
                ("at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="marks",
                        to="accounts.tradingaccount",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["account", "-id"], name="technicalmark_newest")],
            },
        ),
        append_only("accounts_technicalmark"),
    ]
