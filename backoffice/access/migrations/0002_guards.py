"""What keeps rights behind two people: see sql/guards.sql."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0001_initial"),
        ("approvals", "0002_guards"),
        ("organisation", "0003_places"),
    ]
    operations = [
        sql_file(__file__, "guards.sql"),
        append_only("access_setupend", "access_conflict"),
    ]
