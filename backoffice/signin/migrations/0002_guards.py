"""What is over stays over; and which roles need the second factor: all that move money, approve or administer."""

from django.db import migrations

from backoffice.kernel.tables import sql_file

NEEDED = ("DLR", "FMK", "FAP", "PAY", "CMP", "MLRO", "SUP", "IBM", "MGT", "SYS")
# Looks only; enrolling is the auditors' own choice.
NOT_NEEDED = ("AUD",)


def load(apps, schema_editor):
    rule = apps.get_model("signin", "RoleRule")
    rule.objects.bulk_create([rule(role=role, factor_required=True) for role in NEEDED])
    rule.objects.bulk_create([rule(role=role, factor_required=False) for role in NOT_NEEDED])


class Migration(migrations.Migration):
    dependencies = [("signin", "0001_initial")]
    operations = [
        sql_file(__file__, "guards.sql"),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
