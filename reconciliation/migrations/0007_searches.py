"""What breaks, matches and suggestions are searched by."""

import django.contrib.postgres.indexes
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("organisation", "0004_rate_sides"),
        ("reconciliation", "0006_ladder"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="break",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["refs"], name="break_by_what", opclasses=["jsonb_path_ops"]
            ),
        ),
        migrations.AddIndex(
            model_name="cashmatch",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass("key", "varchar_pattern_ops"), name="cashmatch_by_beginning"
            ),
        ),
        migrations.AddIndex(
            model_name="suggestion",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass("reference", "varchar_pattern_ops"),
                name="suggestion_by_reference",
            ),
        ),
    ]
