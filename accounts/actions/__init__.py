"""Use cases of clients that stand behind four eyes.

What a reader must not know is in none of the texts that are stored with a request: it names flags by number, and a
request about one is seen only by those who may take part in it (`view`). Nor is a client's name: a request is frozen
for ever, so it says the number, and its page shows the name from the client's row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.actions.logins import TECHNICAL, TERMS, Mark, Terms, actions_on_logins, logins_told
from accounts.models import Client, ClientCategory, ClientStatus, Flag, FlagKind, Restriction
from accounts.models.flags import BLOCKING, RULES
from accounts.models.reasons import TO_LIFT, TO_PROTECT
from accounts.selectors import activity, visible
from accounts.services import (
    closing,
    erasing,
    flags,
    lifting,
    onboarding,
    protective,
    restrictions,
    steps,
    terms,
)
from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.audit import services as audit
from backoffice.kernel import clock

__all__ = [
    "APPROVE",
    "CATEGORY",
    "CLOSE",
    "END_FLAG",
    "END_REVIEW",
    "ERASE",
    "LIFT",
    "LIFTING",
    "LIFT_TRADING",
    "PROTECTING",
    "REACTIVATE",
    "REJECT",
    "REOPEN",
    "RESTRICT",
    "REVIEW",
    "SUSPEND",
    "TECHNICAL",
    "TERMS",
    "WAKE",
    "Category",
    "EndFlag",
    "Erase",
    "Lift",
    "Mark",
    "Protect",
    "Restrict",
    "Step",
    "Terms",
    "register",
]

REACTIVATE, WAKE, LIFT = "accounts.reactivate", "accounts.wake", "accounts.lift_restriction"
LIFT_TRADING = "accounts.lift_trading"
REVIEW, SUSPEND, RESTRICT = "accounts.review", "accounts.suspend", "accounts.restrict"
CLOSE, REOPEN, ERASE = closing.CLOSE, "accounts.reopen", erasing.ERASE
APPROVE, REJECT = "accounts.approve_application", "accounts.reject_application"
CATEGORY = "accounts.change_category"
END_REVIEW = "accounts.end_review"
END_FLAG = {
    kind: f"accounts.end_{kind.lower()}" for kind, rule in RULES.items() if rule.decider is not None
} | dict.fromkeys(BLOCKING, END_REVIEW)


@dataclass(frozen=True, slots=True)
class Step:
    """A client's status, and why."""

    client_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Erase:
    client_id: int


@dataclass(frozen=True, slots=True)
class Protect:
    """A review or suspension with what it does to trading."""

    client_id: int
    reason: str
    trading: str


@dataclass(frozen=True, slots=True)
class Restrict:
    client_id: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lift:
    restriction_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class EndFlag:
    flag_id: int


@dataclass(frozen=True, slots=True)
class Category:
    client_id: int
    category: str


# Contents that carry the code of their reason: it stays with the status or restriction.
_CODED = (Step, Protect, Restrict)
PROTECTING, LIFTING = dict(TO_PROTECT), dict(TO_LIFT)


def register() -> None:
    for action in (*_back(), *_forth(), *_ends(), *_decisions(), *_category(), *actions_on_logins(), *_flags()):
        registry.register(action)


def _about_client(name: str, title: str, use_case: Callable[..., Any], ask: str, decide: str, **more: Any) -> Action:
    """What actions on one client share."""
    values: dict[str, Any] = {
        "payload": Step,
        "entity_id": lambda p: _client(p).entity_id,
        "target": lambda p: audit.name_of(_client(p)),
        "client": lambda p: audit.name_of(_client(p)),
        "target_version": _version,
        "summary": lambda p: f"{title}: {_client(p).number}",
        "risk": lambda p: visible.risks(p.client_id),
        "knows": visible.knows_risk,
        "checks": _checks,
        "effects": _effects,
        **more,
    }
    if values["payload"] in _CODED:
        values["coded"] = "reason"
    return Action(name=name, title=title, use_case=use_case, ask=ask, decide=decide, **values)


def _back() -> list[Action]:
    """Steps that give rights back."""
    blocked = {"blocked": lambda p: visible.against(p.client_id), "reasons": LIFTING}
    to_active = {**blocked, "changes": _to(ClientStatus.ACTIVE), "forbids": lambda p: steps.setters(_client(p))}
    decide = "accounts.decide_status"
    return [
        _about_client(
            REACTIVATE, "Make a client active again", lifting.reactivate, "accounts.ask_lift", decide, **to_active
        ),
        _about_client(WAKE, "Wake a dormant client", lifting.wake, "accounts.ask_wake", decide, **to_active),
        _lift(LIFT, "Lift a restriction", restrictions.lift, "accounts.ask_lift", decide),
        _lift(
            LIFT_TRADING,
            "Lift a restriction of trading",
            restrictions.lift_trading,
            "accounts.ask_lift_trading",
            "accounts.approve_lift_trading",
        ),
    ]


def _lift(name: str, title: str, use_case: Callable[..., Any], ask: str, decide: str) -> Action:
    """The end of one restriction, never asked for or agreed to by who set it."""
    return Action(
        name=name,
        title=title,
        payload=Lift,
        use_case=use_case,
        entity_id=lambda p: _restriction(p).client.entity_id,
        target=lambda p: f"accounts.restriction:{p.restriction_id}",
        client=lambda p: audit.name_of(_restriction(p).client),
        target_version=lambda p: f"{_restriction(p).is_open}:{_restriction(p).client.status}",
        summary=lambda p: f"Lift “{_restriction(p).get_kind_display()}”: {_restriction(p).client.number}",
        ask=ask,
        decide=decide,
        blocked=lambda p: visible.against(_restriction(p).client_id),
        forbids=lambda p: _setter(_restriction(p)),
        risk=lambda p: visible.risks(_restriction(p).client_id),
        knows=visible.knows_risk,
        changes=lambda p: [Change("Restriction", _restriction(p).get_kind_display(), "lifted")],
        effects=lambda p, result: logins_told(_restriction(p).client_id),
        reasons=LIFTING,
        coded="reason",
    )


def _forth() -> list[Action]:
    """Protective steps asked for by people who may not take them themselves."""
    ask, decide = "accounts.ask_protect", "accounts.decide_status"
    return [
        _about_client(
            REVIEW,
            "Put a client under review",
            protective.put_under_review,
            ask,
            decide,
            payload=Protect,
            changes=_to(ClientStatus.UNDER_REVIEW),
            reasons=PROTECTING,
        ),
        _about_client(
            SUSPEND,
            "Suspend a client",
            protective.suspend,
            ask,
            decide,
            payload=Protect,
            changes=_to(ClientStatus.SUSPENDED),
            reasons=PROTECTING,
        ),
        _about_client(
            RESTRICT,
            "Restrict a client",
            restrictions.restrict,
            ask,
            decide,
            payload=Restrict,
            reasons=PROTECTING,
        ),
    ]


def _ends() -> list[Action]:
    return [
        _about_client(
            CLOSE,
            "Close a client for good",
            closing.close,
            "accounts.ask_close",
            "accounts.approve_close",
            changes=_to(ClientStatus.CLOSED),
            reasons=LIFTING,
            blocked=lambda p: visible.against(p.client_id),
        ),
        _about_client(
            REOPEN,
            "Open a closed client again",
            closing.reopen,
            "accounts.ask_reopen_client",
            "accounts.approve_reopen_client",
            changes=_to(ClientStatus.UNDER_REVIEW),
            reasons=LIFTING,
        ),
        _about_client(
            ERASE,
            "Erase personal data",
            erasing.erase,
            "accounts.ask_erase",
            "accounts.approve_erase",
            payload=Erase,
            changes=lambda p: [Change("Personal data", "kept", "erased for good")],
            blocked=lambda p: visible.against(p.client_id),
        ),
    ]


def _decisions() -> list[Action]:
    ask, decide = "accounts.record_kyc", "accounts.decide_status"
    steps_ = (
        (APPROVE, "Accept an applicant", onboarding.approve, ClientStatus.APPROVED),
        (REJECT, "Turn an applicant down", onboarding.reject, ClientStatus.REJECTED),
    )
    return [
        _about_client(name, title, use_case, ask, decide, changes=_to(status), reasons={**LIFTING, **PROTECTING})
        for name, title, use_case, status in steps_
    ]


def _category() -> list[Action]:
    return [
        _about_client(
            CATEGORY,
            "Change a client's category",
            terms.change_category,
            "accounts.ask_category",
            "accounts.approve_category",
            payload=Category,
            changes=lambda p: [Change("Category", _client(p).get_category_display(), ClientCategory(p.category).label)],
        ),
    ]


def _flags() -> list[Action]:
    """One action for all kinds of review, one for each other kind that two people end."""
    reviews = _flag_action(END_REVIEW, "End an operational review", FlagKind.OPERATIONAL_REVIEW, "accounts.end_review")
    others = [
        _flag_action(END_FLAG[kind], f"End a flag: {FlagKind(kind).label}", kind, RULES[kind].see)
        for kind in END_FLAG
        if kind not in BLOCKING
    ]
    return [reviews, *others]


def _flag_action(name: str, title: str, kind: str, view: str) -> Action:
    rule = RULES[kind]
    assert rule.decider is not None, f"{kind} is ended by one person"
    return Action(
        name=name,
        title=title,
        payload=EndFlag,
        use_case=flags.release_flag,
        knows_request=True,
        entity_id=lambda p: _flag(p).client.entity_id,
        target=lambda p: f"accounts.flag:{p.flag_id}",
        client=lambda p: audit.name_of(_flag(p).client),
        target_version=lambda p: "open" if _flag(p).ended_at is None else "ended",
        summary=lambda p: f"{title}: {_flag(p).client.number}, flag {p.flag_id}",
        ask=rule.end,
        decide=rule.decider.value,
        view=view,
        forbids=lambda p: _setter(_flag(p)),
        # None of them says what kind of review it was.
        reasons={
            "CLEARED": "checked; the cause is gone",
            "COMPLETED": "completed",
            "ENTERED_IN_ERROR": "entered by mistake",
            registry.OTHER: "other",
        },
    )


def _client(payload: Any) -> Client:
    return Client.objects.select_related("entity").get(pk=payload.client_id)


def _restriction(payload: Lift) -> Restriction:
    return Restriction.objects.select_related("client").get(pk=payload.restriction_id)


def _flag(payload: EndFlag) -> Flag:
    return Flag.objects.select_related("client").get(pk=payload.flag_id)


def _setter(row: Flag | Restriction) -> set[int]:
    return {row.set_by_id} if row.set_by_id is not None else set()


def _version(payload: Any) -> str:
    client = _client(payload)
    return f"{client.status}:{client.status_at.isoformat()}:{client.category}"[:64]


def _to(status: ClientStatus) -> Callable[[Any], list[Change]]:
    return lambda p: [Change("Status", _client(p).get_status_display(), status.label)]


def _checks(payload: Any) -> list[Check]:
    client = _client(payload)
    latest = client.kyc_results.order_by("-pk").first()
    old = latest is None or (clock.now() - latest.at).days > 365
    positions = activity.logins_with_positions(client.pk)
    return [
        Check(
            Level.AMBER if old else Level.GREEN,
            "Identity checked within a year",
            "no check is recorded" if latest is None else f"{latest.at:%Y-%m-%d}: {latest.get_outcome_display()}",
        ),
        Check(
            Level.AMBER if positions else Level.GREEN,
            "No open positions",
            f"logins {', '.join(map(str, positions))}" if positions else "none",
        ),
        Check(
            Level.RED if visible.against(client.pk) else Level.GREEN,
            "No review open",
            visible.against(client.pk) or "none",
        ),
    ]


def _effects(payload: Any, result: Any) -> list[Mapping[str, Any]]:
    return logins_told(payload.client_id)
