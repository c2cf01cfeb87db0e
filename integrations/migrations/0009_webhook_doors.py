"""The question whether a door for webhooks is still what it was."""

from django.db import migrations

from backoffice.kernel.tables import sql_file


class Migration(migrations.Migration):
    dependencies = [("integrations", "0008_file_profiles")]
    operations = [sql_file(__file__, "webhook_doors.sql")]
