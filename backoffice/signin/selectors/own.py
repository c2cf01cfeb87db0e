"""What people see about their own sign-in."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from backoffice.kernel import clock
from backoffice.signin.models import Authenticator, RecoveryCode, Session
from backoffice.signin.selectors.standing import age_limit, idle_limit


def open_sessions(user_id: int) -> Sequence[Session]:
    """Sessions that are still good, the newest first."""
    now = clock.now()
    rows = Session.objects.filter(user_id=user_id, ended_at__isnull=True, started_at__gt=now - age_limit())
    return list(rows.filter(last_seen_at__gt=now - idle_limit()).order_by("-pk"))


def codes_left(user_id: int) -> int:
    return RecoveryCode.objects.filter(user_id=user_id, gone_at__isnull=True).count()


def spelled_secret(device: Authenticator) -> str:
    """The secret as people type it into an app: base32 in groups of four."""
    text = base64.b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(text[n : n + 4] for n in range(0, len(text), 4))
