from django.db import migrations

from backoffice.kernel.tables import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("organisation", "0002_house")]
    operations = [append_only("audit_entry")]
