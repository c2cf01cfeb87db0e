"""One device of several clients: a rule like the others; see services/fraud_rules.py. The first version of a rule is
the installation's, not a person's, so the guard that asks for a request looks away for this statement."""

from django.db import migrations, models

FIRST_RULE = """
ALTER TABLE payments_fraudrule DISABLE TRIGGER fraudrule_agreed;
INSERT INTO payments_fraudrule (kind, entity_id, is_on, parameters, at)
VALUES ('DEVICE', NULL, true, '{"clients": 2, "addresses": 3}', now());
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE payments_fraudrule ENABLE ALWAYS TRIGGER fraudrule_agreed;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0010_fraud_guards"), ("integrations", "0010_login_traces")]

    operations = [
        migrations.RunSQL(FIRST_RULE, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="fraudalert",
            name="kind",
            field=models.CharField(
                choices=[
                    ("SHARED_PAYEE", "one destination, several clients"),
                    ("CRYPTO_OUT", "card in, crypto out"),
                    ("NO_TRADING", "deposit and withdrawal without trading"),
                    ("SPLIT", "amounts just under a limit"),
                    ("VELOCITY", "many requests in a short time"),
                    ("NAME", "another name on the money"),
                    ("CARDS", "many cards of one client"),
                    ("DEVICE", "one device or address, several clients"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="fraudrule",
            name="kind",
            field=models.CharField(
                choices=[
                    ("SHARED_PAYEE", "one destination, several clients"),
                    ("CRYPTO_OUT", "card in, crypto out"),
                    ("NO_TRADING", "deposit and withdrawal without trading"),
                    ("SPLIT", "amounts just under a limit"),
                    ("VELOCITY", "many requests in a short time"),
                    ("NAME", "another name on the money"),
                    ("CARDS", "many cards of one client"),
                    ("DEVICE", "one device or address, several clients"),
                ],
                max_length=12,
            ),
        ),
    ]
