"""What is allocated is checked as a set, however many parts a run writes."""

from django.db import migrations

from backoffice.kernel.tables import sql_file


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0007_searches")]

    operations = [sql_file(__file__, "allocations_sets.sql")]
