"""A withdrawal that is split into a request for each of its sources; see sql/splits.sql."""

import django.db.models.deletion
from django.db import migrations, models

from backoffice.kernel.tables import sql_file

STATES = [
    ("ASKED", "asked"),
    ("IN_REVIEW", "in review"),
    ("APPROVED", "approved"),
    ("AT_SERVER", "at the trade server"),
    ("TO_PAY", "to pay"),
    ("PAYING", "being paid"),
    ("SENT", "sent"),
    ("DONE", "done"),
    ("REJECTED", "rejected"),
    ("WITHDRAWN", "withdrawn"),
    ("FAILED", "failed"),
    ("RETURNED", "returned"),
    ("SPLIT", "split"),
]


class Migration(migrations.Migration):
    dependencies = [("payments", "0011_devices")]

    operations = [
        migrations.AddField(
            model_name="moneyrequest",
            name="split_from",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="parts",
                to="payments.moneyrequest",
            ),
        ),
        migrations.AlterField(
            model_name="moneyrequest",
            name="state",
            field=models.CharField(choices=STATES, default="ASKED", max_length=9),
        ),
        migrations.AlterField(
            model_name="requestevent",
            name="after",
            field=models.CharField(choices=STATES, max_length=9),
        ),
        sql_file(__file__, "splits.sql"),
    ]
