"""Each action names the codes of its reasons; a request's code is one of those."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_guards_of_rules")]
    operations = [
        migrations.AlterField(
            model_name="request",
            name="reason_code",
            field=models.CharField(default="OTHER", help_text="one of the action's reasons", max_length=20),
        ),
    ]
