"""How rows belong to a client's desk: told to `scope` once, so that every page, file and write narrows.

Rows with a foreign key to a client or to one of their logins are found by themselves; the others are named here.
What names no client (bank lines, fills, journals, breaks, raw messages) is not narrowed: it is the house's.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import apps
from django.db.models import CharField, Exists, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from accounts.models import Client, TradingAccount
from backoffice.approvals.models import Request
from backoffice.organisation.selectors import scope
from integrations.models import Deal, ServerUser
from ledger.models import LedgerAccount


def register() -> None:
    """Called once, when the project starts."""
    scope.by_desk(Client, "desk")
    for model in apps.get_app_config("accounts").get_models():
        path = path_of(model)
        if path and model is not Client:
            scope.by_desk(model, path)
    scope.by_desk(Deal, _login)
    scope.by_desk(ServerUser, _login)
    scope.by_desk(LedgerAccount, _holder)
    scope.by_desk(Request, _asked)


def path_of(model: type[Model]) -> str:
    """The lookup from a model to a client's desk; empty where it has no foreign key that leads there."""
    for field in model._meta.get_fields():
        if field.related_model is Client and field.many_to_one:
            return f"{field.name}__desk"
        if field.related_model is TradingAccount and (field.many_to_one or field.one_to_one) and field.concrete:
            return f"{field.name}__client__desk"
    return ""


def _login(desks: Sequence[int]) -> Q:
    mine = TradingAccount.objects.filter(connection=OuterRef("connection"), login=OuterRef("login"))
    return Q(Exists(mine.filter(client__desk__in=desks)))


def _holder(desks: Sequence[int]) -> Q:
    """The house's own accounts, and those of the desks' clients and their logins."""
    return Q(holder="") | Q(holder__in=_names(desks)) | Q(holder__in=_logins(desks))


def _asked(desks: Sequence[int]) -> Q:
    return Q(client="") | Q(client__in=_names(desks))


def _names(desks: Sequence[int]) -> QuerySet[Client, str]:
    named = Concat(Value("accounts.client:"), Cast("pk", CharField()))
    return Client.objects.order_by().filter(desk__in=desks).annotate(said=named).values_list("said", flat=True)


def _logins(desks: Sequence[int]) -> QuerySet[TradingAccount, str]:
    named = Concat(Value("accounts.tradingaccount:"), Cast("pk", CharField()))
    rows = TradingAccount.objects.order_by().filter(client__desk__in=desks)
    return rows.annotate(said=named).values_list("said", flat=True)
