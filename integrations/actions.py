"""Use cases of the outside world that stand behind four eyes."""

from __future__ import annotations

from dataclasses import dataclass

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from integrations.models import FileImport
from integrations.services import imports

ACCEPT_HELD = "integrations.accept_held"


@dataclass(frozen=True, slots=True)
class AcceptHeld:
    """Take a file although its control totals do not hold."""

    import_id: int
    reason: str


def register() -> None:
    registry.register(
        Action(
            name=ACCEPT_HELD,
            title="Accept a file that does not prove itself",
            payload=AcceptHeld,
            use_case=imports.accept_held,
            entity_id=lambda p: _import(p).entity_id,
            target=lambda p: f"integrations.fileimport:{p.import_id}",
            target_version=lambda p: _import(p).state,
            summary=lambda p: f"Accept {_import(p).filename} although its control totals do not hold",
            ask="integrations.ask_accept_held",
            decide="integrations.approve_accept_held",
            view="integrations.view_fileimport",
            changes=_totals,
            checks=_checks,
            reasons={
                "CONFIRMED": "the sender confirmed the file",
                "KNOWN": "known error of the sender",
                registry.OTHER: "other",
            },
            effects=lambda p, result: [{"new facts": result["new"], "known already": result["duplicate"]}],
        )
    )


def _import(payload: AcceptHeld) -> FileImport:
    return FileImport.objects.get(pk=payload.import_id)


def _totals(payload: AcceptHeld) -> list[Change]:
    """What the file says of itself against what its rows say."""
    return [
        Change(total["name"], total["expected"], total["found"])
        for total in _import(payload).control_totals
        if not total["holds"]
    ]


def _checks(payload: AcceptHeld) -> list[Check]:
    found = _import(payload)
    broken = [t["name"] for t in found.control_totals if not t["holds"]]
    return [
        Check(
            Level.RED if broken else Level.GREEN,
            "Control totals hold",
            ", ".join(broken) if broken else "all of them",
        ),
        Check(
            Level.AMBER if found.rejected else Level.GREEN,
            "Every row could be read",
            f"{found.rejected} of {found.rows} rows rejected",
        ),
    ]
