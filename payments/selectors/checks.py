"""What a computer can say about a withdrawal before people decide: each check with its value, as of now.

Nothing here tells more of a client than everybody who may see the request may know: a review is the same sentence
whatever it is about (accounts/selectors/visible.py). Checks inform; what must not happen is refused by the services.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.db import connection

from accounts.models import TradingAccount, Wallet
from accounts.models.flags import BLOCKING, FlagKind
from accounts.selectors import activity, visible
from backoffice.approvals.registry import Check, Level
from backoffice.kernel import clock
from backoffice.organisation.selectors import currencies
from integrations.models import AccountSnapshot, Connection
from ledger.selectors.balances import balances
from payments.models import MoneyRequest, Payee, PayeeState, RequestKind, RequestState
from payments.models.requests import UNDONE_STATES
from payments.selectors import disputed, sources
from payments.selectors.rules import rule_for

DAY = timedelta(hours=24)
# A snapshot older than this says little about an account that trades.
FRESH = timedelta(hours=26)
NAME_FITS, NAME_DOUBTFUL = 90, 75


def of_withdrawal(request: MoneyRequest) -> list[Check]:
    """All checks of a withdrawal, in the order people read them."""
    return [check(request) for check in CHECKS]


def payee_age_days(payee: Payee) -> int:
    """Whole days since the payee was verified; nought while it is not."""
    return (clock.now() - payee.verified_at).days if payee.verified_at else 0


def is_young(payee: Payee) -> bool:
    """Whether the payee changed so lately that a second person has to approve."""
    since = payee.verified_at
    return since is None or clock.now() - since < timedelta(days=rule_for(payee.entity_id).cool_off_days)


def said(amount: Decimal, currency: str) -> str:
    return f"{amount:,.{currencies.exponent(currency)}f} {currency}"


def _check(label: str, level: Level, detail: str) -> Check:
    return Check(level, label, detail)


def _account_ids(request: MoneyRequest) -> list[int]:
    source = request.source_wallet or request.source_account
    if isinstance(source, Wallet):
        return [source.account_id, source.reserved_id]
    assert isinstance(source, TradingAccount)
    return [pk for pk in (source.balance_account_id, source.reserved_account_id) if pk]


def replay(request: MoneyRequest) -> Check:
    """The balance counted anew from every line ever booked."""
    ids = _account_ids(request)
    stored = balances(ids)
    with connection.cursor() as cursor:
        cursor.execute("SELECT account_id, sum(amount) FROM ledger_line WHERE account_id = ANY (%s) GROUP BY 1", [ids])
        counted = dict(cursor.fetchall())
    off = sum((abs(stored.get(pk, Decimal(0)) - counted.get(pk, Decimal(0))) for pk in ids), Decimal(0))
    total = said(-sum(counted.values(), Decimal(0)), request.currency_id)
    if off:
        return _check("Balance replay", Level.RED, f"the lines sum to {total}, {off} away from the balance")
    return _check("Balance replay", Level.GREEN, f"the lines sum to {total}, as the balance says")


def at_server(request: MoneyRequest) -> Check:
    """Open positions, and what the newest reading of the server leaves after this and the other open withdrawals."""
    label, account = "Margin and positions", request.source_account
    trading = activity.logins_with_positions(request.client_id)
    if account is None:
        open_ones = f"open positions on {', '.join(map(str, trading))}" if trading else "no open positions"
        return _check(label, Level.GREEN, f"from a wallet; {open_ones}")
    found = AccountSnapshot.objects.filter(
        entity=request.entity_id, connection=account.connection_id, login=account.login
    )
    newest = found.order_by("-business_date", "-version").first()
    if newest is None:
        return _check(label, Level.AMBER, f"the server has not said yet what login {account.login} holds")
    others = MoneyRequest.objects.filter(
        source_account=account, kind=RequestKind.WITHDRAWAL, ended_at=None, state__in=["ASKED", "IN_REVIEW", "APPROVED"]
    )
    promised = sum((row.amount for row in others.exclude(pk=request.pk)), Decimal(0))
    left = newest.equity - newest.credit - promised - request.amount
    says = f"{said(left, newest.currency)} own equity left by the reading of {newest.taken_at:%Y-%m-%d %H:%M} UTC"
    if left < 0:
        return _check(label, Level.RED, says)
    if account.login in trading:
        return _check(label, Level.AMBER, f"{says}; the login has open positions")
    old = clock.now() - newest.taken_at > FRESH
    return _check(label, Level.AMBER if old else Level.GREEN, f"{says}; no open positions")


def payee(request: MoneyRequest) -> Check:
    found = request.payee
    assert found is not None
    days = payee_age_days(found)
    age = f"payee {days} day{'' if days == 1 else 's'} old"
    if found.state != PayeeState.VERIFIED:
        return _check("Payee", Level.RED, f"payee {found.pk} is {found.get_state_display()}")
    shared = Payee.objects.filter(fingerprint=found.fingerprint).exclude(client=found.client_id).count()
    if shared:
        return _check("Payee", Level.RED, f"{age}; the same destination belongs to {shared} other clients")
    return _check("Payee", Level.AMBER if is_young(found) else Level.GREEN, f"{age}, verified")


def name(request: MoneyRequest) -> Check:
    found = request.payee
    assert found is not None
    fit = found.name_match
    level = Level.GREEN if fit >= NAME_FITS else Level.AMBER if fit >= NAME_DOUBTFUL else Level.RED
    return _check("Holder is the client", level, f"names agree by {fit} of 100")


def identity(request: MoneyRequest) -> Check:
    latest = request.client.kyc_results.order_by("-pk").first()
    if latest is None:
        return _check("Identity checked", Level.AMBER, "no check is recorded")
    old = (clock.now() - latest.at).days > 365
    level = Level.RED if latest.outcome == "REJECTED" else Level.AMBER if old else Level.GREEN
    return _check("Identity checked", level, f"{latest.at:%Y-%m-%d}: {latest.get_outcome_display()}")


def standing(request: MoneyRequest) -> Check:
    """Reviews in the words for everybody, and expired papers."""
    against = visible.against(request.client_id)
    if against:
        return _check("Client may be paid", Level.RED, against)
    # Only what everybody may see of a client; the reviews have been said above.
    open_ones = request.client.flags.filter(ended_at=None, kind=FlagKind.DOCUMENT_EXPIRED).exclude(kind__in=BLOCKING)
    if open_ones.exists():
        return _check("Client may be paid", Level.AMBER, "a document has expired")
    return _check("Client may be paid", Level.GREEN, f"client is {request.client.get_status_display()}")


def first(request: MoneyRequest) -> Check:
    paid = MoneyRequest.objects.filter(
        client=request.client_id, kind=RequestKind.WITHDRAWAL, state__in=[RequestState.SENT, RequestState.DONE]
    )
    count = paid.exclude(pk=request.pk).count()
    if not count:
        return _check("First withdrawal", Level.AMBER, "this client was never paid before")
    return _check("First withdrawal", Level.GREEN, f"{count} paid before")


def source_order(request: MoneyRequest) -> Check:
    """Whether the payee's method is the one the money has to go back by."""
    label, rule = "Return to source", rule_for(request.entity_id)
    assert request.payee is not None
    exponent = currencies.exponent(request.currency_id)
    known = sources.sources_of(request.client_id, request.currency_id, besides=request.pk)
    parts = sources.plan(known, request.amount, sources.order_of(rule), now=clock.now(), exponent=exponent)
    wanted = [part for part in parts if not _fits(part, request, rule.profit_methods)]
    words = "; ".join(sources.sentence(part, request.currency_id, exponent) for part in parts)
    if not known:
        return _check(label, Level.AMBER, "no deposit of this currency is known; check where the money came from")
    if wanted:
        return _check(label, Level.RED, f"not by {request.payee.get_kind_display()} alone: {words}")
    expired = any(part.expired for part in parts)
    return _check(label, Level.AMBER if expired else Level.GREEN, words)


def _fits(part: sources.Part, request: MoneyRequest, profit_methods: list[str]) -> bool:
    assert request.payee is not None
    if part.method == "":
        return request.payee.kind in profit_methods
    return part.method == request.payee.kind and _same_place(part.source, request.payee.connection)


def _same_place(source: sources.Source | None, place: Connection | None) -> bool:
    """Whether a deposit came through the PSP that the payee is known at; a report and an interface of one PSP are
    two connections that are paired."""
    if source is None or source.connection_id is None or place is None:
        return True
    paired = Connection.objects.filter(pk=source.connection_id).values_list("paired_with_id", flat=True).first()
    return source.connection_id in (place.pk, place.paired_with_id) or paired == place.pk


def day_sum(request: MoneyRequest) -> Check:
    others = MoneyRequest.objects.filter(
        client=request.client_id, kind=RequestKind.WITHDRAWAL, currency=request.currency_id,
        asked_at__gt=request.asked_at - DAY,
    ).exclude(state__in=UNDONE_STATES)  # fmt: skip
    rows = list(others.exclude(pk=request.pk).values_list("amount", flat=True))
    total = said(sum(rows, request.amount), request.currency_id)
    if rows:
        return _check("24 hours", Level.AMBER, f"{total} in {len(rows) + 1} withdrawals")
    return _check("24 hours", Level.GREEN, f"{total}, the only one")


def disputes(request: MoneyRequest) -> Check:
    cases = disputed.cases_of(request.client_id)
    return _check("Disputes", Level.RED if cases else Level.GREEN, "; ".join(cases) or "no open case")


def negative(request: MoneyRequest) -> Check:
    accounts = TradingAccount.objects.filter(client=request.client_id)
    logins = {row.balance_account_id: row.login for row in accounts}
    below = [str(logins[pk]) for pk, amount in balances(logins).items() if amount > 0]
    return _check(
        "No negative balance", Level.RED if below else Level.GREEN, f"logins {', '.join(below)}" if below else "none"
    )


def duplicate(request: MoneyRequest) -> Check:
    same = MoneyRequest.objects.filter(
        client=request.client_id, kind=RequestKind.WITHDRAWAL, payee=request.payee_id, amount=request.amount,
        asked_at__gt=request.asked_at - DAY,
    ).exclude(state__in=UNDONE_STATES)  # fmt: skip
    rows = list(same.exclude(pk=request.pk).order_by("pk").values_list("reference", flat=True)[:5])
    words = f"same amount and payee within a day: {', '.join(rows)}" if rows else "none like it within a day"
    return _check("Duplicate", Level.AMBER if rows else Level.GREEN, words)


CHECKS: tuple[Callable[[MoneyRequest], Check], ...] = (
    replay,
    at_server,
    payee,
    name,
    identity,
    standing,
    first,
    source_order,
    day_sum,
    disputes,
    negative,
    duplicate,
)
