"""Rows for the pages of breaks and runs: differences between facts, found by real runs."""

from __future__ import annotations

from datetime import timedelta

from accounts.models import TradingAccount
from accounts.services import clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from integrations.models import BankLine, Deal
from integrations.records import PspKind, User
from integrations.services.users import keep_users
from reconciliation.models import Break, Kind, Run
from reconciliation.services import breaks, runs
from tests.builders import ROBOT, user
from tests.pages import Made, builds
from tests.pages_accounts import broker
from tests.worlds import DAY, bank_line, deal, deposit, fill, psp_line


def run(here: LegalEntity, kind: Kind) -> Run:
    """A run of the day over what is stored; the server's listing is there already, so nobody is asked."""
    done = runs.run_now(actor=ROBOT, entity_id=here.pk, kind=kind, day=DAY)
    assert done.state == "DONE", done.error
    return done


def uncover(here: LegalEntity, number: int) -> None:
    """`number` more deals that the server sent to the liquidity provider and the provider does not know."""
    w, known = broker(here), Deal.objects.count()
    deals = [deal(n, gateway="LP", external_id=f"X{n}") for n in range(1, known + number + 1)]
    w.put(w.server, *deals)
    w.put(w.lp, fill("e0", "X0"))  # it has sent its day, and one fill too many
    w.list_server(*deals)
    w.book()


@builds("breaks", "assign-breaks", "assign-break", "explain-break", "resolve-break", "fetch-break")
def uncovered_deals(here: LegalEntity, number: int) -> Made:
    uncover(here, number)
    run(here, Kind.TRADES)
    newest = Break.objects.filter(klass="MISSING_AT_LP").order_by("-pk")[:number]
    assert len(newest) == number
    return Made(kwargs={"pk": newest[0].pk}, ids=tuple(item.pk for item in newest))


@builds("push-again")
def drifted_logins(here: LegalEntity, number: int) -> Made:
    """`number` more logins that their server has in another group than we want."""
    w, known = broker(here), TradingAccount.objects.count()
    logins = [Login(w.client.pk, w.server.pk, 3000 + known + n, "USD", "real\\STD") for n in range(number)]
    opened = clients.open_trading_accounts(actor=ROBOT, logins=logins)
    users = [User(login=one.login, rights=3, group="real\\X", leverage=30, currency="USD") for one in opened]
    keep_users(connection=w.server, users=users, asked_at=clock.now())
    done = runs.request(actor=ROBOT, entity_id=here.pk, kind=Kind.ACCOUNTS, day=DAY)
    runs._match(Run.objects.select_related("entity", "rule").get(pk=done.pk), [])
    newest = Break.objects.filter(klass="GROUP_DRIFT").order_by("-pk")[:number]
    assert len(newest) == number
    return Made(kwargs={"pk": newest[0].pk})


@builds("break", "write-off")
def payout_in_parts(here: LegalEntity, number: int) -> Made:
    """A payout that arrives in `number` more parts and is still short, with as many hands it went through."""
    w, known = broker(here), BankLine.objects.count()
    w.put(w.psp, psp_line("payout", "-500.00", kind=PspKind.PAYOUT, bank_reference="TX00001XT"))
    parts = range(known, known + number)
    w.put(w.bank, *(bank_line(f"part {n}", "1.00", remittance=f"TX00001XT part {n}") for n in parts))
    w.put(w.server, deposit(known + 1, "1.00", f"D-AAAA{known:04}"))
    w.book()
    run(here, Kind.CASH)
    item = Break.objects.get(klass="PAYOUT_AMOUNT")
    assert len(item.refs["bank"]) == known + number
    mara = user("chris", entities=(here,))
    for _ in range(number):
        breaks.assign(actor=ROBOT, break_ids=[item.pk], assignee_id=mara.pk)
    return Made(kwargs={"pk": item.pk}, words=("TX00001XT",))


@builds("run", "run-progress", "start-run")
def one_run(here: LegalEntity, number: int) -> Made:
    """A run that found `number` more breaks: done again, as after its worker died, it is the same run."""
    uncover(here, number)
    done = Run.objects.filter(entity=here).first() or run(here, Kind.TRADES)
    runs._match(Run.objects.select_related("entity", "rule").get(pk=done.pk), [])
    assert Break.objects.filter(seen_by=done).count() == Deal.objects.count() + 1
    return Made(kwargs={"pk": done.pk})


@builds("runs")
def many_runs(here: LegalEntity, number: int) -> Made:
    known = Run.objects.count()
    for n in range(known, known + number):
        runs.request(actor=ROBOT, entity_id=here.pk, kind=Kind.CASH, day=DAY - timedelta(days=n))
    return Made(words=(f'datetime="{DAY}"',))
