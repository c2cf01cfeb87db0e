"""The picture an authenticator reads: a QR code as one SVG path, without script or style."""

from __future__ import annotations

import segno
from django.utils.safestring import SafeString

from backoffice.ui.markup import tag

_BORDER = 4  # quiet zone in modules, ISO/IEC 18004 6.3.8


def picture(text: str) -> SafeString:
    """Dark modules on white whatever the page's colours are: scanners want it so."""
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=_BORDER)]
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    size = len(rows)
    ground = tag("rect", width=size, height=size, fill="#fff")
    marks = tag("path", d=path, fill="#000")
    return tag(
        "svg",
        ground,
        marks,
        viewBox=f"0 0 {size} {size}",
        width=200,
        height=200,
        role="img",
        aria_label="QR code with the secret below",
        shape_rendering="crispEdges",
    )
