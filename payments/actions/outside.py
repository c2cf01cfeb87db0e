"""Money that comes and goes, payees and the desk's rules behind four eyes.

A payload names the request by `money_id` and repeats what must not differ when it is carried out. What approvers read
in a stored request tells nothing personal: the page of the withdrawal or payee shows the rest to those who may see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.models.flags import FlagKind
from accounts.selectors import visible
from backoffice.approvals import registry
from backoffice.approvals.models import Request as Approval
from backoffice.approvals.models import State
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.money import Money
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import currencies
from payments.models import MoneyRequest, Payee, PayeeState
from payments.selectors import checks, receipts
from payments.selectors.rules import rule_for
from payments.services import deposits, payees, rules, withdrawals

PAY, CONFIRM, VERIFY, CHANGE_RULE = (
    "payments.pay_withdrawal",
    "payments.confirm_deposit",
    "payments.verify_payee",
    "payments.change_rule",
)
YOUNG = FlagKind.PAYEE_CHANGED.value
VIEW = "payments.view_moneyrequest"


@dataclass(frozen=True, slots=True)
class PayWithdrawal:
    """What an approver agrees to: this amount from this source to this payee."""

    money_id: int
    reference: str
    amount: Decimal
    currency: str
    payee_id: int
    source: str


@dataclass(frozen=True, slots=True)
class ConfirmDeposit:
    """That this amount has come and is credited there."""

    money_id: int
    reference: str
    amount: Decimal
    currency: str
    target: str


@dataclass(frozen=True, slots=True)
class VerifyPayee:
    payee_id: int


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """A new version of the desk's rules; lists and periods are written as words: "CARD, BANK", "CARD 120"."""

    entity_id: int
    everywhere: bool
    source_order: str
    priority: str
    windows: str
    profit_methods: str
    tolerance: Decimal
    cool_off_days: int
    typed_from: Decimal
    credit_on: str


def pay(request: MoneyRequest) -> PayWithdrawal:
    """The payload that asks for a withdrawal as it stands."""
    assert request.payee_id is not None
    return PayWithdrawal(
        money_id=request.pk,
        reference=request.reference,
        amount=request.amount,
        currency=request.currency_id,
        payee_id=request.payee_id,
        source=withdrawals.source_of(request),
    )


def credit(request: MoneyRequest) -> ConfirmDeposit:
    """The payload that asks for a deposit as it stands."""
    return ConfirmDeposit(
        money_id=request.pk,
        reference=request.reference,
        amount=request.amount,
        currency=request.currency_id,
        target=deposits.target_of(request),
    )


def register() -> None:
    for action in (_pay(), _confirm(), _verify(), _rule()):
        registry.register(action)


def _about_request(**values: Any) -> Action:
    """What actions on one request for money share."""
    return Action(
        entity_id=lambda p: _request(p).entity_id,
        client=lambda p: audit.name_of(_request(p).client),
        target=lambda p: audit.name_of(_request(p)),
        target_version=lambda p: _request(p).reference,
        view=VIEW,
        money=True,
        amount=_amount,
        knows_request=True,
        risk=_risks,
        knows=visible.knows_risk,
        blocked=lambda p: visible.against(_request(p).client_id),
        page=lambda p: reverse("money-request", args=[p.money_id]),
        **values,
    )


def _pay() -> Action:
    return _about_request(
        name=PAY,
        title="Pay a withdrawal",
        payload=PayWithdrawal,
        use_case=withdrawals.approve,
        rehearse=withdrawals.rehearse_payment,
        moved=withdrawals.on_approval,
        summary=lambda p: f"Withdrawal {p.reference} of {_request(p).client.number}: {_size(p)} to payee {p.payee_id}",
        ask="payments.ask_withdrawal",
        decide="payments.approve_withdrawal",
        forbids=lambda p: payees.editors(Payee.objects.get(pk=p.payee_id)),
        checks=lambda p: checks.of_withdrawal(_request(p)),
        effects=_payment,
        reasons={"CLIENT": "the client asked", registry.OTHER: "other"},
    )


def _confirm() -> Action:
    return _about_request(
        name=CONFIRM,
        title="Confirm a deposit",
        payload=ConfirmDeposit,
        use_case=deposits.confirm,
        rehearse=deposits.rehearse_credit,
        moved=deposits.on_approval,
        summary=lambda p: f"Deposit {p.reference} of {_request(p).client.number}: {_size(p)}",
        ask="payments.ask_deposit",
        decide="payments.approve_deposit",
        checks=lambda p: receipts.of_deposit(_request(p)),
        effects=_credit,
        reasons={
            "SEEN": "seen on the statement of PSP or bank",
            "ALLOCATED": "a receipt without reference",
            "CLIENT": "proof from the client",
            registry.OTHER: "other",
        },
    )


def _verify() -> Action:
    return Action(
        name=VERIFY,
        title="Verify a payee",
        payload=VerifyPayee,
        use_case=payees.verify,
        knows_request=True,
        entity_id=lambda p: _payee(p).entity_id,
        client=lambda p: audit.name_of(_payee(p).client),
        target=lambda p: audit.name_of(_payee(p)),
        target_version=lambda p: _payee(p).state,
        summary=_say_payee,
        ask="payments.propose_payee",
        decide="payments.approve_payee",
        view="payments.view_payee",
        forbids=lambda p: payees.editors(_payee(p)),
        checks=_payee_checks,
        moved=_payee_moved,
        page=lambda p: reverse("payee", args=[p.payee_id]),
        reasons={
            "NEW": "a new destination",
            "CHANGED": "the client changed it",
            registry.OTHER: "other",
        },
    )


def _rule() -> Action:
    return Action(
        name=CHANGE_RULE,
        title="Change the rules of the payments desk",
        payload=ChangeRule,
        use_case=rules.change,
        knows_request=True,
        entity_id=lambda p: p.entity_id,
        target=lambda p: f"payments.paymentrule:{'all' if p.everywhere else p.entity_id}",
        summary=lambda p: f"Rules of the payments desk for {'all entities' if p.everywhere else _code(p)}",
        ask="payments.ask_paymentrule",
        decide="payments.approve_paymentrule",
        view="payments.view_paymentrule",
        changes=_rule_changes,
        page=lambda p: reverse("payment-rules"),
    )


def _request(payload: Any) -> MoneyRequest:
    # Read two dozen times from its submission to its approval: what only the checks look at is not joined each time.
    return MoneyRequest.objects.select_related("client", "entity").get(pk=payload.money_id)


def _payee(payload: VerifyPayee) -> Payee:
    return Payee.objects.select_related("client", "entity").get(pk=payload.payee_id)


def _size(payload: Any) -> str:
    return checks.said(payload.amount, payload.currency)


def _amount(payload: Any) -> Money:
    """In the entity's reporting currency, at today's reference rate."""
    home = _request(payload).entity.reporting_currency_id
    return Money(currencies.convert(payload.amount, payload.currency, home, clock.today()), home)


def _risks(payload: Any) -> list[str]:
    """The client's flags as rules of approval know them, and a payee that changed lately."""
    request = _request(payload)
    young = request.payee is not None and checks.is_young(request.payee)
    return sorted({*visible.risks(request.client_id), *([YOUNG] if young else [])})


def _payment(payload: PayWithdrawal, request: MoneyRequest) -> list[Mapping[str, Any]]:
    """What happens when it is sent: the server's debit where there is one, the money on its way, the payment."""
    amount, currency = request.amount, request.currency_id
    assert request.payee is not None
    found: list[Mapping[str, Any]] = [
        {"account": f"{_holder(request)} reserved", "amount": amount, "currency": currency},
        {"account": "clearing.client_money", "amount": -amount, "currency": currency},
        {"payment": f"{checks.said(amount, currency)} to payee {request.payee.pk}, {request.payee.get_kind_display()}"},
    ]
    if request.source_account is not None:
        login = f"{request.source_account.connection.name} login {request.source_account.login}"
        found.append({"server": login, "operation": "balance", "money": f"-{checks.said(amount, currency)}"})
    return found


def _credit(payload: ConfirmDeposit, request: MoneyRequest) -> list[Mapping[str, Any]]:
    amount, currency = request.amount, request.currency_id
    contra = deposits.UNALLOCATED if request.reason == deposits.ALLOCATED else deposits.CLEARING
    found: list[Mapping[str, Any]] = [
        {"account": contra, "amount": amount, "currency": currency},
        {"account": _holder(request), "amount": -amount, "currency": currency},
    ]
    if request.target_account is not None:
        login = f"{request.target_account.connection.name} login {request.target_account.login}"
        found.append({"server": login, "operation": "balance", "money": checks.said(amount, currency)})
    return found


def _holder(request: MoneyRequest) -> str:
    account = request.source_account or request.target_account
    return f"login {account.login}" if account is not None else f"wallet of {request.client.number}"


def _say_payee(payload: VerifyPayee) -> str:
    payee = _payee(payload)
    return f"Payee {payee.pk} of {payee.client.number}: {payee.get_kind_display()}, {payee.currency_id}"


def _payee_checks(payload: VerifyPayee) -> list[Check]:
    payee = _payee(payload)
    shared = Payee.objects.filter(fingerprint=payee.fingerprint).exclude(client=payee.client_id).count()
    fit = payee.name_match
    level = Level.GREEN if fit >= checks.NAME_FITS else Level.AMBER if fit >= checks.NAME_DOUBTFUL else Level.RED
    return [
        Check(level, "Holder is the client", f"names agree by {fit} of 100"),
        Check(
            Level.RED if shared else Level.GREEN,
            "Nobody else's",
            f"the same destination belongs to {shared} other clients" if shared else "no other client uses it",
        ),
    ]


def _payee_moved(actor: Actor, payload: VerifyPayee, approval: Approval) -> None:
    """A payee that compliance rejected is not proposed any more."""
    if approval.state == State.REJECTED and _payee(payload).state == PayeeState.PROPOSED:
        payees.retire(actor=actor, payee_id=payload.payee_id)


def _code(payload: ChangeRule) -> str:
    return LegalEntity.objects.get(pk=payload.entity_id).code


def _rule_changes(payload: ChangeRule) -> list[Change]:
    old = rules.words(rule_for(payload.entity_id))
    new = {name: str(getattr(payload, name)) for name in old}
    return [Change(name.replace("_", " "), old[name], new[name]) for name in old if old[name] != new[name]]
