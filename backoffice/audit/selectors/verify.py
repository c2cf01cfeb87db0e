"""The audit log's part of `manage verify`."""

from __future__ import annotations

from collections.abc import Iterator

from backoffice.audit.selectors import chain, watched
from backoffice.kernel.findings import Finding


def findings() -> Iterator[Finding]:
    """What the sealed streams do not hold, then watched tables that nobody watches."""
    yield from chain.check().findings
    for text in watched.differences():
        yield Finding("every change of a watched table leaves a row", text, "run `manage protect` as the owner")
