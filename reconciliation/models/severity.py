"""How much a break matters."""

from __future__ import annotations

from django.db import models


class Severity(models.IntegerChoices):
    """The higher of what is at stake and how old it is; which is which says the rule `breaks` (services/grading.py)."""

    LOW = 1, "low"
    MEDIUM = 2, "medium"
    HIGH = 3, "high"
    CRITICAL = 4, "critical"
