"""Journals, lines and balances, and the rules that PostgreSQL holds about them."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("organisation", "0002_house")]
    operations = [
        sql_file(__file__, "tables.sql"),
        sql_file(__file__, "triggers.sql"),
        sql_file(__file__, "post.sql"),
        append_only("ledger_journal", "ledger_line", "ledger_closing", "ledger_daybalance"),
    ]
