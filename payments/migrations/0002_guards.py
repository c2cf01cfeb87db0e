"""What PostgreSQL itself refuses about requests, payees and payouts; see sql/requests.sql. The first rules of the desk
come before the guard that asks for an approval of every later version."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

FIRST_RULES = """
INSERT INTO payments_paymentrule (entity_id, source_order, priority, windows, profit_methods, tolerance, cool_off_days,
                                  typed_from, credit_on, at)
VALUES (NULL, 'FIFO', '["CARD", "EWALLET", "BANK", "CRYPTO"]', '{"CARD": 120}', '["BANK", "CRYPTO"]', 0, 7, 10000,
        'LINE', now());
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("accounts", "0008_wallet_guards")]
    operations = [
        migrations.RunSQL(FIRST_RULES, migrations.RunSQL.noop),
        sql_file(__file__, "requests.sql"),
        append_only("payments_requestevent", "payments_evidence", "payments_paymentrule"),
    ]
