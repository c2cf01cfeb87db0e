"""What was handed out is never changed."""

from django.db import migrations

from backoffice.kernel.tables import append_only


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_initial"), ("organisation", "0002_house")]
    operations = [append_only("reporting_runentity", "reporting_reportfile", "reporting_reportchunk")]
