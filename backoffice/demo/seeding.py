"""Seeding: plan, build the house, play the month against a running server, write down what was planted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.demo import desk, finish, house, people, simulator, state
from backoffice.demo.days import last_open, utc
from backoffice.demo.money import payees, psps
from backoffice.demo.player import Player
from backoffice.demo.scene import Scene
from backoffice.demo.simulator import Server
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection

_STARTED, _FINISHED = "demo.started", "demo.finished"
Say = Callable[[str], None]


class OtherDemo(DomainError):
    """The database holds something else than the demo that was asked for."""


def live_day(asked: date | None) -> date:
    """The day that is played: the one asked for, or the last business day before today; never a day of rest."""
    return last_open(asked) if asked else last_open(clock.today() - timedelta(days=1))


def seed(*, number: int, asked: date | None, say: Say) -> None:
    """Make the demo of a seed and a day, once per database."""
    known = held()
    if known is not None:
        _again(known, number, asked, say)
        return
    if LegalEntity.objects.exists():
        raise OtherDemo("The database is not empty, and what is in it is no demo. Seed a fresh database.")
    live = live_day(asked)
    began = time.monotonic()
    say(f"seed {number}, live day {live}")
    folder = state.start_over()
    scene = finish.planned(number, live)
    say(f"planned: {len(scene.plan.clients)} clients, {len(scene.plan.deals)} deals, {len(scene.plan.planted)} breaks")
    server = Server(folder / "mt5-live.sqlite", simulator.free_port(), simulator.password(number))
    _note(_STARTED, number, live)
    found = house.build(scene, server)
    with clock.at(utc(scene.days.history[0], 8)):
        people.hire(number)
        desk.agree_on_rules()
        payees.known(scene, found)
    planted = _planted(scene, found)
    state.write(state.planted_path(), {"seed": number, "date": str(live), "planted": planted})
    say("companies, connections, clients and staff are there")
    with simulator.running(server) as control, psps.running(number) as paying:
        Player(scene, planted=planted, found=found, control=control, paying=paying, folder=folder, say=say).play()
        control.order("clock", now=None)
    _note(_FINISHED, number, live)
    _write_files(number, server)
    say(f"done in {time.monotonic() - began:.0f} seconds")


def held() -> tuple[int, date] | None:
    """Seed and live day of the demo in the database, or None in an empty one."""
    rows = Entry.objects.filter(action__in=[_STARTED, _FINISHED]).order_by("pk").values_list("action", "data")
    if not rows:
        return None
    actions = {action for action, _ in rows}
    if _FINISHED not in actions:
        raise OtherDemo("An earlier seeding of this database was interrupted. Seed a fresh database.")
    data = rows[0][1]
    return int(data["seed"]), date.fromisoformat(data["date"])


def _again(known: tuple[int, date], number: int, asked: date | None, say: Say) -> None:
    seeded, live = known
    if number != seeded or (asked is not None and live_day(asked) != live):
        raise OtherDemo(
            f"The database holds the demo of seed {seeded} and {live}. Seed a fresh database for another one."
        )
    connection = Connection.objects.get(name=simulator.NAME)
    port = int(str(connection.settings["base_url"]).rpartition(":")[2])
    _write_files(number, Server(state.folder() / "mt5-live.sqlite", port, simulator.password(number)))
    say(f"the demo of seed {seeded} and {live} is there already; its files were written again")


def _write_files(number: int, server: Server) -> None:
    state.write(state.people_path(), people.listed(number))
    state.write(state.simulators_path(), [server.entry, *psps.entries(number)])


@transaction.atomic
def _note(action: str, number: int, live: date) -> None:
    audit.record(actor=house.ACTOR, action=action, data={"seed": number, "date": live})


def _planted(scene: Scene, found: Mapping[str, Connection]) -> list[dict[str, Any]]:
    """The list of what must be found, with keys as the product writes them."""
    ids = {name: connection.pk for name, connection in found.items()}
    ibans = finish.accounts(scene.seed)
    return [
        {
            "class": planted.klass,
            "entity": planted.entity,
            "key": finish.key_of(planted, scene, ibans).format_map(ids),
            "why": planted.why,
            "opens": str(planted.opens),
            "resolves": str(planted.resolves) if planted.resolves else None,
            "amount": f"{planted.amount:f}" if planted.amount is not None else None,
        }
        for planted in scene.plan.planted
    ]
