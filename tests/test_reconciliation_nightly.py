"""The nightly round: called again it makes up for what was missed, and does nothing twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backoffice.kernel import clock
from backoffice.kernel.actor import System
from integrations.models import Connection
from reconciliation.models import Kind, Run, RunState
from reconciliation.services import nightly, runs
from tests.builders import ROBOT
from tests.reporting_day import MORNING, NIGHT
from tests.worlds import DAY, bank_line, world

pytestmark = pytest.mark.django_db
NIGHTLY = System("nightly")


@pytest.fixture
def entity_id() -> int:
    w = world()
    # Nothing here is asked over the network.
    Connection.objects.filter(pk=w.server.pk).update(is_active=False)
    w.put(w.bank, bank_line("L1", "10.00"))
    return w.bank.entity_id


def rounds(**later: float) -> list[tuple[str, str]]:
    """What a round does, that much after midnight."""
    with clock.at(NIGHT + timedelta(**later)):
        return [(run.kind, run.state) for run in nightly.reconcile_previous_day(actor=NIGHTLY, today=clock.today())]


def every_kind() -> set[tuple[str, str]]:
    return {(kind.value, "DONE") for kind in Kind}


def test_a_second_round_of_the_night_finds_nothing_to_do(entity_id: int) -> None:
    assert set(rounds()) == every_kind()
    count = Run.objects.count()
    assert rounds(hours=1) == []
    assert Run.objects.count() == count


def test_a_person_who_was_first_does_not_replace_the_round(entity_id: int) -> None:
    with clock.at(NIGHT):
        runs.run_now(actor=ROBOT, entity_id=entity_id, kind=Kind.CASH, day=DAY)
    assert set(rounds()) == every_kind()


def test_a_night_that_was_missed_is_made_up_for_in_the_morning(entity_id: int) -> None:
    with clock.at(MORNING):
        done = nightly.reconcile_previous_day(actor=NIGHTLY, today=clock.today())
    assert {(run.kind, run.business_date) for run in done} == {(kind.value, DAY) for kind in Kind}


def test_a_worker_that_died_in_the_round_holds_up_nobody_and_is_made_up_for(entity_id: int) -> None:
    with clock.at(NIGHT):
        dead = runs.request(actor=NIGHTLY, entity_id=entity_id, kind=Kind.CASH, day=DAY)
        Run.objects.filter(pk=dead.pk).update(state=RunState.RUNNING, heartbeat_at=clock.now())
    assert set(rounds(minutes=1)) == every_kind() - {("cash", "DONE")}
    assert rounds(hours=1) == [("cash", "DONE")]
    assert Run.objects.get(pk=dead.pk).state == RunState.DONE
    assert rounds(hours=2) == []
