"""A report as PDF, by WeasyPrint: the same document as `html.py`, on A4.

The same report gives the same bytes: identifier and dates come from the report, not from the clock. Nothing is
ever fetched: text from outside is escaped, and if an address came through all the same, it is refused.

WeasyPrint draws text with Pango, a library of the operating system; it is imported when it is needed, so that
everything else works without it.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from backoffice.kernel.errors import DomainError
from reporting.records import Report
from reporting.render import html

log = logging.getLogger(__name__)
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
# Long-term archiving with text that can be searched: ISO 19005-3, level u.
_VARIANT = "pdf/a-3u"


class NoPango(DomainError):
    """The machine lacks what WeasyPrint draws text with."""


def render(report: Report) -> bytes:
    """The report's pages. Raises NoPango where the machine cannot make any."""
    weasyprint = _weasyprint()
    source = html.document(report)
    identifier = hashlib.sha256(source.encode()).digest()[:16]
    document = weasyprint.HTML(string=source, url_fetcher=_refusing(), base_url=None)
    pdf: bytes = document.write_pdf(pdf_identifier=identifier, pdf_variant=_VARIANT)
    return pdf


def _weasyprint() -> Any:
    try:
        import weasyprint
    except OSError as error:
        raise NoPango(
            f"This machine cannot make PDFs: it lacks the packages {PACKAGES}. Have them installed (on Debian and"
            " Ubuntu by apt-get install), or print the report's page from the browser: it has its own print view."
        ) from error
    return weasyprint


def _refusing() -> Any:
    """A fetcher that fetches nothing: the document brings its stylesheet and drawings along."""
    from weasyprint.urls import URLFetcher

    class Refusing(URLFetcher):
        def fetch(self, url: str, headers: Any = None) -> Any:
            log.warning("a report asked for %.200s; refused", url)
            raise ValueError("a report fetches nothing")

    made: Any = Refusing
    return made()
