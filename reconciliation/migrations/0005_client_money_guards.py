"""What PostgreSQL itself refuses about client money; see sql/client_money_guards.sql. The rule for all entities that have
none of their own comes before the guard that asks for an approval of every later one."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

FIRST_RULE = """
INSERT INTO reconciliation_clientmoneyrule (regime, valid_from, rate_source, rate_days, counts, note)
VALUES ('CASS', '2000-01-01', '', 7, '{"ACCOUNT": true, "WALLET": true, "IN_FLIGHT": true, "RECEIPT": true}',
        'Negative to nought per client; credit left out; withdrawals on their way and unallocated receipts in.');
SET CONSTRAINTS ALL IMMEDIATE;
"""
TABLES = (
    "reconciliation_clientmoneyrule",
    "reconciliation_clientmoneyline",
    "reconciliation_clientmoneyclient",
    "reconciliation_clientmoneyresource",
    "reconciliation_topup",
)


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0004_client_money"), ("payments", "0002_guards")]
    operations = [
        migrations.RunSQL(FIRST_RULE, migrations.RunSQL.noop),
        sql_file(__file__, "client_money_guards.sql"),
        append_only(*TABLES),
    ]
