"""The kept bytes of report files, and whether they still are what their hash says."""

from __future__ import annotations

import hashlib

from backoffice.kernel.errors import DomainError
from reporting.models import ReportChunk, ReportFile


class Damaged(DomainError):
    """Kept bytes that no longer have their hash."""


def content(file: ReportFile) -> bytes:
    """The file as it was made. Raises Damaged rather than handing out something else."""
    bodies = ReportChunk.objects.filter(file=file).order_by("number").values_list("body", flat=True)
    whole = b"".join(bytes(body) for body in bodies)
    if hashlib.sha256(whole).hexdigest() != file.sha256:
        raise Damaged(f"The stored {file.name} is not what was made. Do not use it; have “manage verify” run.")
    return whole
