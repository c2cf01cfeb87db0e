"""How far a request is: who has decided, what is still missing and by whom; whether a page about it is current."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import Permission

from backoffice.approvals.models import Covers, Part, Participation, Request
from backoffice.kernel.plain import digest


@dataclass(frozen=True, slots=True)
class Missing:
    """Approvals that still lack: `first` only by the approvers' permission, `second` only by the second one's, and
    `either` by people of whichever of the two. The same sum as approvals_missing() in sql/guards_of_rules.sql."""

    first: int
    second: int
    either: int

    @property
    def count(self) -> int:
        return self.first + self.second + self.either


def missing(request: Request, parts: Iterable[Participation] | None = None) -> Missing:
    """What lacks now. Places are given first to people who can take only that one."""
    rows = request.participations.all() if parts is None else parts
    return lacking(request, Counter(row.covers for row in rows if row.part == Part.APPROVER))


def lacking(request: Request, given: Counter[str]) -> Missing:
    seconds = 1 if request.second_permission else 0
    first = max(request.approvals_needed - seconds - given[Covers.FIRST], 0)
    second = max(seconds - given[Covers.SECOND], 0)
    flexible = given[Covers.BOTH]
    if first and second and flexible:
        # Somebody who may be counted either way leaves it open which of the places is the free one.
        certain = max(first - flexible, 0)
        return Missing(certain, 0, max(first + second - flexible, 0) - certain)
    return Missing(max(first - flexible, 0), max(second - flexible, 0), 0)


def helps(request: Request, covers: str) -> bool:
    """Whether an approval by somebody with these permissions would count."""
    given = Counter(request.participations.filter(part=Part.APPROVER).values_list("covers", flat=True))
    before = lacking(request, given).count
    given[covers] += 1
    return lacking(request, given).count < before


def roles_with(permissions: Iterable[str]) -> dict[str, list[str]]:
    """Permission -> the codes of the roles that hold it."""
    wanted = {name for name in permissions if name}
    found: dict[str, list[str]] = {name: [] for name in wanted}
    codes = [name.partition(".")[2] for name in wanted]
    rows = Permission.objects.filter(codename__in=codes).exclude(group=None).order_by("group__name")
    for role, app, codename in rows.values_list("group__name", "content_type__app_label", "codename"):
        if f"{app}.{codename}" in found:
            found[f"{app}.{codename}"].append(role)
    return found


def sentences(request: Request, lack: Missing) -> list[str]:
    """What is still missing, in words: "needs one more approval by FAP"."""
    roles = roles_with([request.approve_permission, request.second_permission, request.execute_permission])

    def who(*permissions: str) -> str:
        named = sorted({role for permission in permissions for role in roles[permission]})
        return " or ".join(named) or "somebody with " + " or ".join(f"“{name}”" for name in permissions)

    steps = [
        (lack.first, who(request.approve_permission)),
        (lack.second, who(request.second_permission) if request.second_permission else ""),
        (lack.either, who(request.approve_permission, request.second_permission) if lack.either else ""),
    ]
    said = [f"needs {_number(count)} more approval{'s' if count > 1 else ''} by {by}" for count, by in steps if count]
    if request.execute_permission and request.finished_at is None:
        said.append(f"then executed by a third person: {who(request.execute_permission)}")
    return said


def _number(count: int) -> str:
    return ("one", "two", "three")[count - 1] if count <= 3 else str(count)


def token(request: Request) -> str:
    """What a page about the request was made from: its content, state, chain and files. A form carries it along,
    and a decision about anything older is refused."""
    chain = [[part.person_id, part.part] for part in request.participations.all()]
    files = list(request.attachments.values_list("blob_id", flat=True))
    return digest([request.payload_hash, request.state, chain, files])
