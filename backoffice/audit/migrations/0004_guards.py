from django.db import migrations

from backoffice.kernel.tables import append_only, sql_file


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_sealing")]
    operations = [
        append_only("audit_change", "audit_seal", "audit_batch"),
        # 32 random bytes a row: nothing to compress.
        migrations.RunSQL("ALTER TABLE audit_batch ALTER hashes SET STORAGE EXTERNAL", migrations.RunSQL.noop),
        sql_file(__file__, "changes.sql"),
        sql_file(__file__, "personal.sql"),
    ]
