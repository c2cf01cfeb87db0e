from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("organisation", "0002_house")]
    operations = [sql_file(__file__, "guards.sql"), append_only("approvals_participation")]
