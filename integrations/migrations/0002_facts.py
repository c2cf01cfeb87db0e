"""Raw messages and facts: append-only, entity first in every key."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file

TABLES = (
    "integrations_rawmessage",
    "integrations_rawchunk",
    "integrations_deal",
    "integrations_fill",
    "integrations_pspline",
    "integrations_bankline",
    "integrations_accountsnapshot",
    "integrations_listingrow",
    "integrations_superseded",
    "integrations_serverlisting",
    "integrations_serverclock",
    "integrations_rejection",
)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial"), ("organisation", "0002_house")]
    operations = [sql_file(__file__, "facts.sql"), append_only(*TABLES)]
