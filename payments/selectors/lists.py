"""Which requests wait for whom: for lists, for the numbers in the navigation, and for payment files."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from integrations.models import ServerOperation
from payments.models import MoneyRequest, Payout, PayoutState, PayoutWay, RequestKind, RequestState

VIEW, SEND = "payments.view_moneyrequest", "payments.send_payout"
MOST = 100
# What is with a server or PSP for longer than this is looked at by a person; sent money may take some days.
SLOW = timedelta(minutes=10)
LATE = timedelta(days=5)
_S = RequestState


def withdrawals() -> QuerySet[MoneyRequest]:
    return MoneyRequest.objects.filter(kind=RequestKind.WITHDRAWAL)


def deposits() -> QuerySet[MoneyRequest]:
    return MoneyRequest.objects.filter(kind=RequestKind.DEPOSIT)


def payable() -> QuerySet[MoneyRequest]:
    """Approved and not sent, and what waits for a bank: a person of payments is next."""
    ready = Q(state=_S.TO_PAY, payout__way=PayoutWay.HAND)
    return withdrawals().filter(Q(state=_S.APPROVED) | ready, ended_at=None)


def doubtful() -> QuerySet[MoneyRequest]:
    """What a person has to look at: an answer that was lost or is long in coming, money that is long on its way,
    deposits that came and were not credited, and lines that do not fit what they name."""
    now = clock.now()
    unknown = Q(
        Exists(Payout.objects.filter(request=OuterRef("pk"), state=PayoutState.UNKNOWN)),
        state=_S.PAYING,
    )
    slow = Q(state__in=[_S.AT_SERVER, _S.PAYING], state_at__lt=now - SLOW)
    at_server = Q(
        Exists(ServerOperation.objects.filter(reference=OuterRef("reference"), message__state="UNKNOWN")),
        state=_S.AT_SERVER,
    )
    late = Q(state=_S.SENT, state_at__lt=now - LATE)
    seen = Q(state__in=[_S.ASKED, _S.APPROVED], kind__in=["D", "W"], evidence__isnull=False)
    return MoneyRequest.objects.filter(Q(ended_at=None) & (unknown | slow | at_server | late | seen)).distinct()


def new_withdrawals(user: User) -> int:
    """How many withdrawals nobody has reviewed yet."""
    return _count(user, withdrawals().filter(state=_S.ASKED, ended_at=None), VIEW)


def to_pay(user: User) -> int:
    return _count(user, payable(), SEND)


def in_doubt(user: User) -> int:
    return _count(user, doubtful(), VIEW)


def payouts_for_files(entity_id: int, currency: str) -> QuerySet[Payout]:
    """Payouts that a payment file of this entity and currency may take, oldest first."""
    return (
        Payout.objects.filter(
            way=PayoutWay.FILE,
            state=PayoutState.READY,
            entity=entity_id,
            currency=currency,
            request__state=RequestState.TO_PAY,
        )
        .select_related("request__client", "payee")
        .order_by("id")
    )


def _count(user: User, rows: QuerySet[MoneyRequest], permission: str) -> int:
    """At most MOST, so that it costs the same however many there are."""
    return len(scope.visible(user, rows, permission).order_by()[:MOST].values_list("pk"))
