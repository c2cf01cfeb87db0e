"""What this room needs from rooms above or beside it, handed in when they start.

The audit log and approvals are not below the interface, so it cannot call them by name. They register here in
their `AppConfig.ready`; a page that needs a hook nobody registered fails loudly instead of going unrecorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django import forms

from backoffice.kernel.actor import Person


@dataclass(frozen=True, slots=True)
class Export:
    """Rows that leave the house: `query` is the address's filters and sort, `rows` is None at the start.

    `finished` is False twice: in the first call, made before the first byte is sent, and in the last one when
    the download was broken off; then `rows` says how many had been sent.
    """

    actor: Person
    title: str
    path: str
    query: Mapping[str, list[str]]
    format: str
    rows: int | None = None
    finished: bool = False


class ExportRecorder(Protocol):
    """Writes an audit row about an export. Called before the first byte and again at the end."""

    def __call__(self, export: Export, /) -> None: ...


class Submit(Protocol):
    """Asks for a use case that needs other people's consent; returns the stored request. `files` are names with
    contents. `backoffice.approvals.services.requests.submit` has this shape."""

    def __call__(
        self,
        *,
        actor: Person,
        action: str,
        payload: Any,
        reason: str,
        reason_code: str,
        files: Sequence[tuple[str, bytes]],
    ) -> Any: ...


@dataclass(frozen=True, slots=True)
class Gate:
    """Where requests go: `submit` takes them, `fields` names what a form asks for besides its own fields, by action."""

    submit: Submit
    fields: Callable[[str], Mapping[str, forms.Field]]


_recorders: list[ExportRecorder] = []
_gates: list[Gate] = []


def record_exports(recorder: ExportRecorder) -> None:
    assert not _recorders, "exports are already recorded by somebody"
    _recorders.append(recorder)


def export(event: Export) -> None:
    """Tell the recorder. Without one, nothing may leave."""
    assert _recorders, "nobody records exports: call hooks.record_exports when the project starts"
    _recorders[0](event)


def gate_with(gate: Gate) -> None:
    assert not _gates, "there is already a gate"
    _gates.append(gate)


def ask_fields(action: str) -> Mapping[str, forms.Field]:
    """What every request for this action says besides its content: the code of its reason, files."""
    return _gate().fields(action)


def submit(
    *,
    actor: Person,
    action: str,
    payload: Any,
    reason: str,
    reason_code: str = "OTHER",
    files: Sequence[tuple[str, bytes]] = (),
) -> Any:
    """Ask for a gated use case through the registered gate. `reason_code` is one of the action's reasons."""
    return _gate().submit(
        actor=actor, action=action, payload=payload, reason=reason, reason_code=reason_code, files=files
    )


def _gate() -> Gate:
    assert _gates, "nobody takes requests: call hooks.gate_with when the project starts"
    return _gates[0]
