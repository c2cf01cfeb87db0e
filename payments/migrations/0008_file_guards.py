"""What PostgreSQL itself refuses about payment files, their exports and reports; see sql/files.sql."""

from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_files")]
    operations = [
        sql_file(__file__, "files.sql"),
        append_only(
            "payments_ownbank",
            "payments_paymentfileline",
            "payments_fileexport",
            "payments_statusreport",
            "payments_linestatus",
        ),
    ]
