"""What `demo check` says of the money desk: what there is in which state, and each entity's client money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from payments.models import ChargebackCase, MoneyRequest, Payee, Payout, RequestKind, RequestState
from reconciliation.models import ClientMoneyRun
from reconciliation.services import client_money

# The states of withdrawals that there must be one of, whatever the seed.
_WANTED = frozenset(RequestState) - {RequestState.AT_SERVER, RequestState.RETURNED}


def money(live: date) -> dict[str, Any]:
    """Facts of the money desk; `problems` is empty when it came out as planned."""
    requests = _by_kind()
    runs = [_client_money(run) for run in _newest(live)]
    payouts = _counted(Payout.objects.values_list("state", flat=True))
    missing = sorted(_WANTED - set(requests["withdrawal"]))
    problems = [f"no withdrawal is {state}" for state in missing]
    problems += [] if payouts.get("UNKNOWN") else ["no payout is in doubt"]
    problems += [] if len(runs) == 2 else ["client money of the live day is not there for every entity"]
    problems += [f"client money of {one['entity']} is not signed" for one in runs if not one["signed"]]
    problems += [f"client money of {one['entity']} cannot be rebuilt" for one in runs if not one["rebuilt"]]
    return {
        "requests": requests,
        "payouts": payouts,
        "payees": _counted(Payee.objects.values_list("state", flat=True)),
        "chargebacks": _counted(ChargebackCase.objects.values_list("state", flat=True)),
        "client_money": runs,
        "problems": problems,
    }


def _by_kind() -> dict[str, dict[str, int]]:
    rows = list(MoneyRequest.objects.values_list("kind", "state"))
    return {kind.label: _counted(state for of, state in rows if of == kind) for kind in RequestKind}


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _newest(live: date) -> list[ClientMoneyRun]:
    rows = ClientMoneyRun.objects.filter(as_of=live).select_related("entity", "rule").order_by("entity_id", "-number")
    return list(rows.distinct("entity_id"))


def _client_money(run: ClientMoneyRun) -> dict[str, Any]:
    """One calculation, and whether the same comes out again from what was known at its cut-off."""
    again = client_money.calculate(entity=run.entity, day=run.as_of, cutoff=run.cutoff_at, rule=run.rule)
    return {
        "entity": run.entity.code,
        "as_of": run.as_of,
        "currency": run.currency_id,
        "requirement": run.requirement,
        "resource": run.resource,
        "difference": run.difference,
        "clients": run.clients,
        "signed": run.signed_at is not None,
        "rebuilt": again.content_hash() == run.content_hash,
    }
