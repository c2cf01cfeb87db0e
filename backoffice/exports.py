"""Lists that leave the house as files are noted in the audit log, before the first byte and at the end."""

from __future__ import annotations

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.ui.hooks import Export


@transaction.atomic
def record(export: Export, /) -> None:
    """Who took which list, narrowed how, as what. The first row of a download has no number of rows; a download
    that was broken off ends with the number that had been sent and `finished` false."""
    audit.record(
        actor=export.actor,
        action="list.exported",
        target=export.path[:150],
        data={
            "title": export.title,
            "query": export.query,
            "format": export.format,
            "rows": export.rows,
            "finished": export.finished,
        },
    )
