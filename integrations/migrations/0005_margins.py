"""What open positions tie up, and what groups trade under, as servers last said it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_bank_notices")]
    operations = [
        migrations.CreateModel(
            name="ServerGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("currency", models.CharField(blank=True, max_length=10)),
                ("stop_out", models.DecimalField(decimal_places=8, max_digits=38)),
                ("in_money", models.BooleanField()),
                ("read_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="integrations.connection"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "name"), name="servergroup_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServerMargin",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("login", models.BigIntegerField()),
                ("equity", models.DecimalField(decimal_places=8, max_digits=38)),
                ("margin", models.DecimalField(decimal_places=8, max_digits=38)),
                ("leverage", models.IntegerField()),
                ("read_at", models.DateTimeField()),
                (
                    "connection",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="integrations.connection"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "login"), name="servermargin_once"),
                ],
            },
        ),
    ]
