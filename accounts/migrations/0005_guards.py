"""What PostgreSQL itself refuses about clients; see sql/lifecycle.sql."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

TABLES = (
    "accounts_statuschange",
    "accounts_notice",
    "accounts_note",
    "accounts_document",
    "accounts_kycresult",
    "accounts_consentstep",
    "accounts_historicalclient",
    "accounts_historicaltradingaccount",
    "accounts_historicaldesiredstate",
    "accounts_historicalleveragecap",
    "accounts_historicallifecyclerule",
)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_existing"), ("organisation", "0002_house")]
    operations = [sql_file(__file__, "lifecycle.sql"), append_only(*TABLES)]
