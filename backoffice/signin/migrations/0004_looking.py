"""Looking as somebody else: from one's own session, for half an hour, never as those who must not be looked at."""

from django.db import migrations

from backoffice.kernel.tables import sql_file


class Migration(migrations.Migration):
    dependencies = [
        ("signin", "0003_impersonation"),
        ("organisation", "0003_places"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [sql_file(__file__, "looking.sql")]
