"""Rows for the pages of breaks and runs: differences between facts, found by real runs."""

from __future__ import annotations

from datetime import timedelta

from accounts.models import TradingAccount
from accounts.services import clients
from accounts.services.clients import Login
from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from integrations.models import BankLine, Deal, PspLine
from integrations.records import PspKind, User
from integrations.services.users import keep_users
from reconciliation.models import Break, Kind, Rule, Run, Suggestion
from reconciliation.services import breaks, hands, runs
from tests.builders import ROBOT, person, user
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


def unmarked(here: LegalEntity, number: int) -> list[Suggestion]:
    """`number` more deposits that a bank brought without their references; each amount is of one only."""
    w, known = broker(here), Deal.objects.count()
    for n in range(known, known + number):
        w.put(w.server, deposit(9000 + n, f"{100 + n}.00", f"D-BBBB{n:04}"))
        w.put(w.bank, bank_line(f"unmarked {n}", f"{100 + n}.00", remittance="for my account"))
    w.book()
    run(here, Kind.CASH)
    return list(Suggestion.objects.filter(entity=here, state="OPEN", rung="AMOUNT").order_by("-pk"))


@builds("suggestions", "accept-suggestion", "dismiss-suggestion")
def suggested(here: LegalEntity, number: int) -> Made:
    found = unmarked(here, number)
    return Made(kwargs={"pk": found[0].pk}, words=(found[0].reference,))


@builds("match-by-hand")
def to_be_matched(here: LegalEntity, number: int) -> Made:
    unmarked(here, number)
    newest = Break.objects.filter(entity=here, klass="UNIDENTIFIED").order_by("-pk")[0]
    return Made(kwargs={"pk": newest.pk}, words=("for my account", "D-BBBB"))


@builds("matches", "match", "undo-match")
def matched_by_hand(here: LegalEntity, number: int) -> Made:
    pat = person(user("pat", "reconciliation.match_cash", entities=(here,)))
    for one in unmarked(here, number):
        (match,) = hands.accept(actor=pat, suggestion_id=one.pk)
    return Made(kwargs={"pk": match.pk}, words=(match.key.removeprefix("ref:"),))


@builds("reconciliation-rules", "change-reconciliation-rule")
def rule_versions(here: LegalEntity, number: int) -> Made:
    newest = Rule.objects.filter(kind="cash").order_by("-version")[0]
    for n in range(1, number + 1):
        Rule.objects.create(
            kind="cash", version=newest.version + n, parameters=newest.parameters, note=f"n {n}",
            made_at=clock.now(), made_by="test",
        )  # fmt: skip
    return Made(kwargs={"pk": newest.pk})


@builds("settlements", "settlement", "settlement-report")
def payouts(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), PspLine.objects.count()
    for n in range(known, known + number):
        kind = {"kind": PspKind.PAYOUT, "payout_key": f"batch {n}"}
        w.put(w.psp, psp_line(f"paid {n}", "20.00", payout_key=f"batch {n}"), psp_line(f"out {n}", "-20.00", **kind))
    last = PspLine.objects.filter(kind=PspKind.PAYOUT, entity=here).latest("pk")
    return Made(kwargs={"pk": last.pk}, words=(last.payout_key,))
