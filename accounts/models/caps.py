"""How much leverage a client of a category may have."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.clients import ClientCategory
from backoffice.organisation.models import LegalEntity


class InstrumentClass(models.TextChoices):
    """Classes of ESMA Decision (EU) 2019/679, Annex I, taken over by national rules and FCA COBS 22.5."""

    FX_MAJOR = "FX_MAJOR", "major currency pairs"
    FX_MINOR = "FX_MINOR", "other currency pairs, gold, major indices"
    COMMODITY = "COMMODITY", "other commodities and indices"
    EQUITY = "EQUITY", "shares and other underlyings"
    CRYPTO = "CRYPTO", "crypto assets"


class LeverageCap(models.Model):
    """1:`leverage` at most for an instrument class and a category. Rows of an entity stand before those of all
    entities; no row of a category: no cap. A login's own leverage may reach the highest class's cap, because trade
    servers multiply it with the margin rate of each symbol."""

    entity = models.ForeignKey(LegalEntity, null=True, blank=True, on_delete=models.PROTECT)
    category = models.CharField(max_length=12, choices=ClientCategory.choices)
    instrument_class = models.CharField(max_length=10, choices=InstrumentClass.choices)
    leverage = models.PositiveIntegerField()
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["category", "-leverage"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["entity", "category", "instrument_class"], name="leveragecap_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(leverage__gte=1), name="leveragecap_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.instrument_class} 1:{self.leverage}"
