"""`manage end_setup`: from now on nobody gets a role without a second person. There is no way back."""

from __future__ import annotations

from typing import Any

from backoffice.access.services import people
from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base


class Command(Base):
    help = "End the set-up of the installation: from now on, roles need a request and a second person."

    def answer(self, **options: Any) -> dict[str, Any]:
        ended = people.end_set_up(actor=System("manage end_setup"))
        return {"at": ended.at, "by": ended.by}

    def sentences(self, result: dict[str, Any]) -> list[str]:
        return ["The set-up has ended: roles need a request and a second person from now on."]
