"""The house's shared rules, and the currencies every installation starts with."""

from django.db import migrations

from backoffice.kernel.currencies import KNOWN
from backoffice.kernel.tables import append_only, sql_file


def load(apps, schema_editor):
    currency = apps.get_model("organisation", "Currency")
    currency.objects.bulk_create(
        [currency(code=code, name=name, exponent=exponent) for code, (name, exponent) in KNOWN.items()]
    )


class Migration(migrations.Migration):
    dependencies = [("organisation", "0001_initial")]
    operations = [
        sql_file(__file__, "append_only.sql"),
        append_only("organisation_fxrate"),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
