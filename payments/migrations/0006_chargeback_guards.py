"""What PostgreSQL itself refuses about chargeback cases and what they book; see sql/chargebacks.sql."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_chargebacks")]
    operations = [
        sql_file(__file__, "chargebacks.sql"),
        append_only("payments_caseevent", "payments_caseposting"),
    ]
