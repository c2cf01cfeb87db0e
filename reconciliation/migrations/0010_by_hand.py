"""Matches that people put together, differences that are told apart, and fewer row-by-row checks of what a run writes."""

from datetime import UTC, datetime

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def load(apps, schema_editor):
    """The cash rule knows how far from the day's rate an amount in another currency may be to be called one: 5 %."""
    rule = apps.get_model("reconciliation", "Rule")
    before = rule.objects.filter(kind="cash").order_by("-version")[0]
    rule.objects.create(
        kind="cash",
        version=before.version + 1,
        parameters={"fx_band": "500", **before.parameters},
        note="differences of exchange are told apart",
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
        made_by="system: installation",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("organisation", "0004_rate_sides"),
        ("reconciliation", "0009_severity"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="cashmatch",
            name="cashmatch_key",
        ),
        migrations.AddField(
            model_name="suggestion",
            name="difference_is",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="suggestion",
            name="person",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="suggestion",
            name="reason",
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AlterField(
            model_name="cashallocation",
            name="match",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="allocations",
                to="reconciliation.cashmatch",
            ),
        ),
        migrations.AlterField(
            model_name="cashmatch",
            name="entity",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="organisation.legalentity",
            ),
        ),
        migrations.AlterField(
            model_name="cashmatch",
            name="person",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="cashmatch",
            name="rule",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                to="reconciliation.rule",
            ),
        ),
        migrations.AlterField(
            model_name="cashmatch",
            name="run",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="reconciliation.run"
            ),
        ),
        migrations.AlterField(
            model_name="cashmatch",
            name="suggestion",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="matches",
                to="reconciliation.suggestion",
            ),
        ),
        migrations.AlterField(
            model_name="suggestion",
            name="run",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to="reconciliation.run"),
        ),
        migrations.AddIndex(
            model_name="cashmatch",
            index=models.Index(
                condition=models.Q(("person__isnull", False)), fields=["entity", "key"], name="cashmatch_by_hand"
            ),
        ),
        migrations.AddIndex(
            model_name="cashmatch",
            index=models.Index(
                condition=models.Q(("suggestion__isnull", False)), fields=["suggestion"], name="cashmatch_of_suggestion"
            ),
        ),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("person__isnull", False),
                        ("run", None),
                        ("rung", "HAND"),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("rung", "HAND"), _negated=True),
                        ("difference_is", ""),
                        ("person", None),
                        ("reason", ""),
                        ("run__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="suggestion_by_hand_has_a_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="suggestion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("person", None),
                    models.Q(("state", "ACCEPTED"), _negated=True),
                    models.Q(("decided_by", models.F("person")), _negated=True),
                    _connector="OR",
                ),
                name="suggestion_accepted_by_another",
            ),
        ),
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
