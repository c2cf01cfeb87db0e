"""Reference rates that people entered, because no source had them: who wanted them, why, and behind which request."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from backoffice.approvals.models import Request as Approval
from backoffice.kernel.tables import Access
from backoffice.organisation.models import FxRate

# The name they go by. Rates of this source count only for who asks for it by name.
MANUAL = "MANUAL"


class ManualRate(models.Model):
    """Why a rate of the source MANUAL is there. PostgreSQL refuses such a rate without this row and its approved
    request (sql/rates.sql). What turns out wrong is entered anew, as a later version of the same rate."""

    access = Access.APPEND

    rate = models.OneToOneField(FxRate, on_delete=models.PROTECT, related_name="entered")
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()
    request = models.OneToOneField(Approval, on_delete=models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ()
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("ask_manualrate", "Can ask to enter a reference rate"),
            ("approve_manualrate", "Can approve a reference rate entered by hand"),
        ]

    def __str__(self) -> str:
        return f"{self.rate}: {self.reason}"
