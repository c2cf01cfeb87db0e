"""Entries of intraday reports and notifications: hints beside the statement's lines."""

from django.db import migrations, models

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("integrations", "0003_server_users")]
    operations = [
        migrations.CreateModel(
            name="BankNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.IntegerField()),
                ("content_hash", models.BinaryField(max_length=32)),
                ("raw_id", models.BigIntegerField()),
                ("raw_line", models.IntegerField()),
                ("received_at", models.DateTimeField()),
                ("line_key", models.TextField()),
                ("account", models.TextField()),
                ("statement_id", models.TextField()),
                ("amount", models.DecimalField(decimal_places=18, max_digits=38)),
                ("currency", models.TextField()),
                ("booking_date", models.DateField()),
                ("value_date", models.DateField()),
                ("bank_reference", models.TextField()),
                ("end_to_end_id", models.TextField()),
                ("remittance", models.TextField()),
                ("counterparty", models.TextField()),
                ("counterparty_account", models.TextField()),
                ("is_reversal", models.BooleanField()),
                ("bank_code", models.TextField()),
                ("details", models.JSONField()),
                ("message", models.TextField()),
                ("entry_key", models.TextField()),
                ("entry_reference", models.TextField()),
                ("entry_amount", models.DecimalField(decimal_places=18, max_digits=38)),
            ],
            options={
                "db_table": "integrations_banknotice",
                "ordering": ["-booking_date", "-id"],
                "managed": False,
            },
        ),
        sql_file(__file__, "notices.sql"),
        append_only("integrations_banknotice"),
    ]
