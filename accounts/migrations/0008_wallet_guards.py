"""What PostgreSQL itself refuses about wallets and reservations; see sql/wallets.sql."""

from django.db import migrations

from backoffice.kernel.tables import sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_personal_data")]
    operations = [sql_file(__file__, "wallets.sql")]
