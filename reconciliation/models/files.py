"""Files of other houses, compared with each other by the ladder: a ledger's export against files of PSP or bank.

Nothing of them is booked and none of them is a fact of ours. What was read, what it was compared by and what came out
is kept and never changed, so that a comparison can be made again.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from reconciliation.models.rungs import Rung
from reconciliation.models.runs import Rule


class OutsideFile(models.Model):
    """One file, read by one mapping profile (integrations/adapters/csv_profile/profile.py). The same bytes with the
    same profile are the same file. `rejected` lists the lines that could not be read, with the reason."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    profile_sha256 = models.CharField(max_length=64)
    profile = models.JSONField()
    rejected = models.JSONField(default=list)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "sha256", "profile_sha256"], name="outsidefile_once"),
        ]

    def __str__(self) -> str:
        return self.name


class OutsideLine(models.Model):
    """One line of such a file: only what the profile names, as text. `line` is its number in the file."""

    access = Access.APPEND

    file = models.ForeignKey(OutsideFile, on_delete=models.PROTECT, related_name="lines")
    line = models.PositiveIntegerField()
    said = models.JSONField()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["file", "line"], name="outsideline_once"),
        ]

    def __str__(self) -> str:
        return f"line {self.line} of {self.file_id}"


class Comparison(models.Model):
    """Two files put through the ladder. `spec` says which fields are identifier, reference, amount and day on each
    side; `spec_sha256` with files and rule identifies it, so that the same comparison is made once."""

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    name = models.CharField(max_length=80)
    ours = models.ForeignKey(OutsideFile, on_delete=models.PROTECT, related_name="+")
    theirs = models.ForeignKey(OutsideFile, on_delete=models.PROTECT, related_name="+")
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT)
    spec = models.JSONField()
    spec_sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["entity", "ours", "theirs", "rule", "spec_sha256"], name="comparison_once"),
        ]

    def __str__(self) -> str:
        return self.name


class ComparedLine(models.Model):
    """What the ladder said of one line in a comparison: MATCHED, or the class of what is wrong. `others` are the lines
    of the other side it is about; `difference` (theirs less ours, in major units) is not nought in a match only inside
    the tolerance; `evidence` says which values agreed, or what differs. `also` are classes beside a match."""

    access = Access.APPEND

    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(OutsideLine, on_delete=models.PROTECT, related_name="+")
    klass = models.CharField("class", max_length=20)
    rung = models.CharField(max_length=9, choices=Rung.choices, blank=True)
    others = models.JSONField(default=list)
    difference = models.DecimalField(max_digits=38, decimal_places=18, default=0)
    also = models.JSONField(default=list)
    evidence = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["comparison", "line"], name="comparedline_once"),
        ]

    def __str__(self) -> str:
        return f"{self.klass} {self.line_id}"
