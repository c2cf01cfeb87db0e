"""What PostgreSQL itself refuses about fraud rules and alerts; see sql/fraud.sql. The first version of each rule comes
before the guard that asks for an approval of every later one."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

FIRST_RULES = """
INSERT INTO payments_fraudrule (kind, entity_id, is_on, parameters, at) VALUES
    ('SHARED_PAYEE', NULL, true, '{"clients": 2}', now()),
    ('CRYPTO_OUT', NULL, true, '{"days": 30}', now()),
    ('NO_TRADING', NULL, true, '{"days": 30, "share": 80}', now()),
    ('SPLIT', NULL, true, '{"limit": 10000, "band": 15, "number": 3, "hours": 48}', now()),
    ('VELOCITY', NULL, true, '{"number": 6, "hours": 24}', now()),
    ('NAME', NULL, true, '{"fit": 60}', now()),
    ('CARDS', NULL, true, '{"number": 3, "days": 90}', now());
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0009_fraud")]
    operations = [
        migrations.RunSQL(FIRST_RULES, migrations.RunSQL.noop),
        sql_file(__file__, "fraud.sql"),
        append_only("payments_fraudrule", "payments_fraudevent"),
    ]
