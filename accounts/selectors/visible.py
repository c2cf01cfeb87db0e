"""What a reader may know of a client's flags, notes and identity checks: decided here and nowhere else.

Pages, lists, filters, exports, timelines, mails and error texts ask this module. A reader who may not see a kind gets
the words its rule has for others, or nothing. Those words carry no date, no author and no number, because each of
these could tell an AML hold from an ordinary review; for the same reason several of them are shown once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.aggregates import StringAgg
from django.db.models import Case, CharField, Exists, OuterRef, QuerySet, Subquery, Value, When

from accounts.models import NEUTRAL, Client, ConsentStep, Document, Flag, FlagKind, KycResult, Note
from accounts.models.flags import BLOCKING, RULES
from accounts.selectors.kept import reveal
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.organisation.selectors.scope import Visitor

_DETAIL = {FlagKind.VULNERABLE: "accounts.see_vulnerable_detail"}
CONFIDENTIAL = "accounts.see_confidential_note"
_COMMA = ", "
ENHANCED = RULES[FlagKind.PEP].otherwise
# Beside the floor's view of a client, what identity checks said is for some roles only.
VIEW_KYC = "accounts.view_kycresult"


@dataclass(frozen=True, slots=True)
class Shown:
    """A flag as one reader sees it. `flag` is None where only the words for others are shown."""

    words: str
    flag: Flag | None = None
    note: str = ""
    deadline: Any = None
    may_end: bool = False


def may_know(user: Visitor, kind: str) -> bool:
    """Whether the reader may see this kind, and that it is this kind."""
    return scope.may(user, RULES[kind].see) and not _disguises(user, kind)


def _disguises(user: Visitor, kind: str) -> bool:
    """Whether a kind that everybody sees is the cover of one that this reader must not see: then it is shown in the
    same way, without its own details."""
    return kind == FlagKind.OPERATIONAL_REVIEW and not scope.may(user, RULES[FlagKind.AML_HOLD].see)


def flags_of(user: User, client: Client) -> list[Shown]:
    """The open flags of a client as this reader sees them."""
    rows = list(client.flags.filter(ended_at=None).select_related("set_by").order_by("pk"))
    reveal(flag for flag in rows if may_know(user, flag.kind))
    consents = {step.flag_id: step for step in ConsentStep.objects.filter(flag__client=client).order_by("pk")}
    found: dict[str, Shown] = {}
    for flag in rows:
        shown = _shown(user, flag, consents.get(flag.pk))
        if shown.words:
            found.setdefault(f"{flag.pk}" if shown.flag else shown.words, shown)
    return list(found.values())


def _shown(user: User, flag: Flag, consent: ConsentStep | None) -> Shown:
    if not may_know(user, flag.kind):
        return Shown(NEUTRAL if flag.kind in BLOCKING else RULES[flag.kind].otherwise)
    detail = _DETAIL.get(FlagKind(flag.kind), "")
    rule = RULES[flag.kind]
    return Shown(
        words=FlagKind(flag.kind).label,
        flag=flag,
        note=flag.note if scope.may(user, detail) else "",
        deadline=consent.deadline_date if consent else None,
        may_end=bool(rule.end) and scope.may(user, rule.end),
    )


def flags(user: User) -> QuerySet[Flag]:
    """The flags whose kind this reader may know, of all clients."""
    return Flag.objects.filter(kind__in=[kind for kind in RULES if may_know(user, kind)])


def choices(user: Visitor) -> list[tuple[str, str]]:
    """What a reader may look for: kinds they may know under their names, the others under the words for others."""
    found: dict[str, str] = {}
    for kind in FlagKind:
        code, words = _code(user, kind)
        if code:
            found.setdefault(code, words)
    return list(found.items())


def _code(user: Visitor, kind: FlagKind) -> tuple[str, str]:
    """The code of a kind in addresses and its words; of a kind in disguise those of its cover."""
    if may_know(user, kind):
        return kind.value, kind.label
    if kind in BLOCKING:
        return FlagKind.OPERATIONAL_REVIEW.value, NEUTRAL
    return ("ENHANCED", ENHANCED) if RULES[kind].otherwise == ENHANCED else ("", "")


def with_flag(queryset: QuerySet[Client], user: Visitor, codes: Iterable[str]) -> QuerySet[Client]:
    """Clients that carry one of what `choices` offers this reader."""
    wanted = set(codes)
    kinds = [kind for kind in FlagKind if _code(user, kind)[0] in wanted]
    return queryset.filter(Exists(Flag.objects.filter(client=OuterRef("pk"), ended_at=None, kind__in=kinds)))


def annotated(queryset: QuerySet[Client], user: Visitor) -> QuerySet[Client]:
    """With `said_flags`: the open flags of each client in this reader's words, and in no others; see `shown_flags`."""
    words = {kind: _code(user, kind)[1] for kind in FlagKind}
    said = Case(*(When(kind=kind, then=Value(text)) for kind, text in words.items() if text), default=None)
    open_ones = Flag.objects.filter(client=OuterRef("pk"), ended_at=None).order_by().values("client")
    together = StringAgg(said, _COMMA, output_field=CharField())
    return queryset.annotate(said_flags=Subquery(open_ones.annotate(words=together).values("words")))


def shown_flags(row: Any) -> str:
    """What `annotated` found of a row, each once: two flags that read alike are one to the reader. In SQL the same
    would be a sort per row."""
    return _COMMA.join(sorted(set(filter(None, (row.said_flags or "").split(_COMMA)))))


def kinds_in_log(user: Visitor, client: Client) -> Mapping[int, str]:
    """What this reader calls each flag, open or ended, that the client's audit entries name by number."""
    rows = client.flags.values_list("pk", "kind")
    return {pk: _code(user, FlagKind(kind))[1] for pk, kind in rows}


def is_neutral(words: str) -> bool:
    """Whether words are those for others, beside which nobody's name may stand."""
    return words == NEUTRAL


def notes_of(user: User, client: Client, most: int = 20) -> list[Note]:
    """The newest notes this reader may see, newest first."""
    rows = client.notes.select_related("by").order_by("-pk")
    found = list((rows if scope.may(user, CONFIDENTIAL) else rows.filter(confidential=False))[:most])
    reveal(found)
    return found


def documents_of(client: Client, most: int = 10) -> list[Document]:
    """The newest documents; whoever sees the client sees what they are called."""
    found = list(client.documents.order_by("-pk")[:most])
    reveal(found)
    return found


def kyc_of(user: User, client: Client) -> list[tuple[KycResult, str]]:
    """Identity checks with the risk as the reader may know it; nothing without the permission."""
    if not scope.may(user, VIEW_KYC):
        return []
    knows = scope.may(user, RULES[FlagKind.PEP].see)
    found = []
    results = list(client.kyc_results.select_related("by").order_by("-pk")[:10])
    reveal(results)
    for result in results:
        marks = [result.get_risk_display(), "PEP" if result.is_pep else "", "company" if result.is_company else ""]
        hidden = ENHANCED if result.is_pep or result.risk == KycResult.Risk.HIGH else "ordinary checks"
        found.append((result, ", ".join(filter(None, marks)) if knows else hidden))
    return found


def against(client_id: int) -> str:
    """Why nothing may be given to a client now, in words for everybody; empty when nothing stands against it."""
    on_hold = Flag.objects.filter(client=client_id, ended_at=None, kind__in=BLOCKING).exists()
    return f"the client is {NEUTRAL}" if on_hold else ""


def risks(client_id: int) -> list[str]:
    """Codes of a client's open flags for approval policies; those in disguise under the code of their cover."""
    kinds = Flag.objects.filter(client=client_id, ended_at=None).values_list("kind", flat=True)
    return sorted({FlagKind.OPERATIONAL_REVIEW.value if kind in BLOCKING else kind for kind in kinds})


def knows_risk(user: Any, code: str) -> bool:
    """Whether a reader may see a code of `risks`; that of a review everybody may."""
    return code in BLOCKING or (code in RULES and may_know(user, code))
