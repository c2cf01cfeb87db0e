"""Plays the plan: time goes on, the server gets its deals, the feed is read, files come, nights reconcile.

Every step runs at its simulated moment, so what is received, posted and opened says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from accounts.models import Client
from accounts.services import booking, timers
from backoffice.demo import desk, finish, house, lives, server, timetable
from backoffice.demo.chance import Dice
from backoffice.demo.files import Files
from backoffice.demo.money import acts, client_money, payees, rules
from backoffice.demo.money.morning import Morning
from backoffice.demo.plan import (
    Act,
    AddUser,
    Announce,
    DeleteDeal,
    EditDeal,
    EditUser,
    FetchDeal,
    HandJournal,
    MoveUser,
    OpenLogin,
    PayByBank,
)
from backoffice.demo.scene import Scene
from backoffice.demo.simulator import NAME, Control
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.kernel.errors import DomainError
from integrations.models import Connection, ImportState
from integrations.services import feeds, imports
from integrations.services.feeds import FeedFailed
from payments.services import case_reading, confirming, references
from reconciliation.models import RunState
from reconciliation.services import nightly

_AT_ONCE = 4_000
Say = Callable[[str], None]


class WentWrong(DomainError):
    """The demo did not go as planned: a fault that should have shown did not, or one showed that was none."""


class Player:
    """Everything the simulated month needs while it runs."""

    def __init__(
        self,
        scene: Scene,
        *,
        planted: Sequence[Mapping[str, Any]],
        found: Mapping[str, Connection],
        control: Control,
        paying: Mapping[str, Control],
        folder: Path,
        say: Say,
    ) -> None:
        self._scene = scene
        self._planted = planted
        self._found = found
        self._control = control
        self._paying = paying
        self._files = Files(scene, folder / "files")
        self._say = say
        self._loaded = 0

    def play(self) -> None:
        """The whole month, moment by moment."""
        self._control.send("load", server.world())
        self._control.send("load", {"users": server.users(self._scene.logins(NAME))})
        self._control.send("clock", server.clock(self._scene.starts, self._scene.ends))
        for at, step in self._steps():
            self._until(at)
            with clock.at(at):
                step()
        for login, floating in self._scene.plan.floating.items():
            self._control.order("account", login=login, floating=f"{floating:f}")

    def _steps(self) -> list[tuple[datetime, Callable[[], None]]]:
        """What happens when; at one moment, acts come first."""
        steps: list[tuple[datetime, Callable[[], None]]] = [
            (at, partial(self._act, act)) for at, act in self._scene.plan.acts
        ]
        wrong_bank = Dice(self._scene.seed, "held file").number(0, 1)
        for at, entry in timetable.entries(self._scene.days, wrong_bank=wrong_bank):
            steps.append((at, partial(self._entry, entry)))
        return sorted(steps, key=lambda step: step[0])

    def _until(self, at: datetime) -> None:
        """Let the server know every deal up to a moment, and what time it is."""
        deals, first = self._scene.plan.deals, self._loaded
        while self._loaded < len(deals) and deals[self._loaded].shows_at <= at:
            self._loaded += 1
        self._control.order("clock", now=at.isoformat())
        for start in range(first, self._loaded, _AT_ONCE):
            chunk = deals[start : min(start + _AT_ONCE, self._loaded)]
            self._control.send("load", {"deals": server.deals(chunk)})

    def _entry(self, entry: timetable.Entry) -> None:
        match entry:
            case timetable.Pull():
                self._pull(entry)
            case timetable.FirstLoad(days=days):
                self._first_load(days)
            case timetable.Night(day=day):
                self._night(day)
            case timetable.BankFiles() | timetable.LpFile() | timetable.Mt4File() | timetable.PspFile():
                self._file(entry)
            case _:
                self._work(entry)

    def _file(self, entry: timetable.File) -> None:
        match entry:
            case timetable.BankFiles(day=day, first_wrong=wrong):
                self._banks([day], wrong)
            case timetable.LpFile(day=day, twice=twice):
                for _ in range(1 + twice):
                    self._hand_in("lp-prime", self._files.fills([day]))
            case timetable.Mt4File(broken=broken):
                self._hand_in("mt4-uk", self._files.trades(clock.now(), broken=broken))
            case timetable.PspFile(day=day):
                self._hand_in("adyen-eu", self._files.psp([day]))

    def _work(self, entry: timetable.Work) -> None:
        match entry:
            case timetable.CloseBooks(day=day):
                desk.close_books(day)
                self._say(f"books closed through {day}")
            case timetable.Morning():
                self._morning()
            case timetable.YoungPayees():
                payees.lately(self._scene, self._found)
            case timetable.ClientMoney(day=day):
                self._client_money(day)
            case timetable.Desk():
                self._desk()

    def _pull(self, entry: timetable.Pull) -> None:
        """Read the feed, with the misbehaviour of the hour, and book what came."""
        for fault in entry.faults:
            self._control.send("fault", fault)
        try:
            self._read(expect_failure=entry.fails)
        finally:
            if entry.faults:
                self._control.order("reset")

    def _read(self, *, since: datetime | None = None, expect_failure: bool = False) -> None:
        connection = self._found[NAME]
        try:
            pulled = feeds.pull(actor=System("feed"), connection_id=connection.pk, since=since)
        except FeedFailed:
            if expect_failure:
                return
            raise
        if expect_failure or pulled.rejected:
            raise WentWrong(f"The reading of {clock.now():%H:%M} should have failed, or rejected deals.")
        booking.book_connection(actor=System("booking"), connection_id=connection.pk)

    def _first_load(self, days: Sequence[date]) -> None:
        """The past at once: one reading of the server, one big file of each kind."""
        self._read(since=datetime.combine(self._scene.starts.date(), time()))
        self._banks(days, None)
        self._hand_in("adyen-eu", self._files.psp(days))
        self._hand_in("lp-prime", self._files.fills(days))
        self._hand_in("mt4-uk", self._files.trades(clock.now()))
        for closed in (days[len(days) // 2], days[-1]):
            desk.close_books(closed)
        timers.end_expired()
        self._say(f"{len(days)} days of history are loaded")

    def _banks(self, days: Sequence[date], first_wrong: int | None) -> None:
        """Statements of both banks; one may come with a wrong balance first, and is held then."""
        for number, bank in enumerate(finish.BANKS):
            if number == first_wrong:
                wrong = self._files.wrong_bank(bank, days[0])
                self._hand_in(bank, wrong, expected=ImportState.HELD)
            if self._files.has_statements(bank, days):
                self._hand_in(bank, self._files.bank(bank, days))

    def _hand_in(self, connection: str, path: Path, *, expected: ImportState = ImportState.STORED) -> None:
        where = self._found[connection]
        with path.open("rb") as stream:
            done = imports.import_file(
                actor=System("mailbox"), connection_id=where.pk, stream=stream, filename=path.name
            )
        if done.state != expected:
            raise WentWrong(f"{path.name} is {done.get_state_display()}: {done.error or done.control_totals}")
        if expected == ImportState.STORED:
            booking.book_connection(actor=System("booking"), connection_id=where.pk)
            confirming.confirm_all()
            case_reading.read_lines()

    def _night(self, day: date) -> None:
        done = nightly.reconcile_previous_day(actor=System("nightly"), today=clock.today())
        failed = [run.error for run in done if run.state != RunState.DONE]
        if failed:
            raise WentWrong(f"A reconciliation of {day} failed: {failed[0]}")
        self._say(f"{day} reconciled: {sum(run.breaks for run in done if run.business_date == day)} breaks")

    def _morning(self) -> None:
        old = [p for p in self._planted if p["opens"] != str(self._scene.days.live) and p["resolves"] is None]
        keys = {planted["class"]: planted["key"] for planted in old}
        desk.start_the_morning(self._scene.days.live, keys["PRICE"], keys["AMOUNT"])
        lives.happen(self._scene)

    def _client_money(self, day: date) -> None:
        rules.segregate(self._scene.days.nightly[0], finish.accounts(self._scene.seed))
        runs = client_money.calculate(day)
        with references.given_by(partial(self._letters, Dice(self._scene.seed, f"top-ups of {day}"))):
            for run in runs:
                if day == self._scene.days.live:
                    client_money.ask_to_make_up(run)
                else:
                    client_money.make_up(run, self._scene)

    @staticmethod
    def _letters(dice: Dice, letter: str) -> str:
        return f"{letter}-{dice.text(8, references.ALPHABET)}"

    def _desk(self) -> None:
        timers.end_expired()
        Morning(self._scene, self._found, self._paying).happen()
        confirming.confirm_all()
        self._say("the payments desk has worked off its morning")

    def _act(self, act: Act) -> None:
        match act:
            case EditDeal(deal=deal, fields=fields):
                self._control.order("deal/edit", ticket=deal.ticket, fields=dict(fields))
            case DeleteDeal(deal=deal):
                self._control.order("deal/delete", ticket=deal.ticket)
            case AddUser(login=login):
                self._control.send("load", {"users": server.users([login])})
            case MoveUser(login=login, group=group):
                self._control.send("load", {"users": [{"Login": login.number, "Group": group}]})
            case EditUser(login=login):
                order = {"login": login.number, "set": act.set, "clear": act.clear, "fields": dict(act.fields)}
                self._control.send("user/edit", order)
            case OpenLogin():
                self._open(act)
            case HandJournal():
                desk.credit_by_hand(act, self._found[act.login.server])
            case Announce():
                acts.announce(act)
            case PayByBank():
                acts.pay_by_bank(act)
            case FetchDeal(deal=deal):
                desk.fetch(f"deal:{self._found[NAME].pk}:{deal.ticket}")

    def _open(self, act: OpenLogin) -> None:
        client, connection = act.login.client, self._found[act.login.server]
        known = Client.objects.filter(number=client.number).values_list("pk", flat=True).first()
        client_id = known or house.open_client(client, connection.entity_id)
        login = replace(act.login, currency=act.currency)
        house.open_logins([login], {client.number: client_id}, self._found)
