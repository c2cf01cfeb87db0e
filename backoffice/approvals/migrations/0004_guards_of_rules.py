from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_complete")]
    operations = [
        sql_file(__file__, "guards_of_rules.sql"),
        append_only("approvals_blob", "approvals_attachment"),
    ]
