"""The rungs of the match ladder, in the order in which they are tried."""

from __future__ import annotations

from django.db import models


class Rung(models.TextChoices):
    """How a match came about. Up to REFERENCE a run matches by itself; from AMOUNT on a person decides."""

    ID = "ID", "1 same identifier"
    GROUP = "GROUP", "2 payout group"
    REFERENCE = "REFERENCE", "3 reference in the text"
    AMOUNT = "AMOUNT", "4 amount and day"
    FEE = "FEE", "5 amount less the fee"
    FX = "FX", "5 amount at the day's rate"
    LIKENESS = "LIKENESS", "6 names or references alike"
    PARTS = "PARTS", "7 sum of parts"
    HAND = "HAND", "by hand"


SURE = (Rung.ID, Rung.GROUP, Rung.REFERENCE)
