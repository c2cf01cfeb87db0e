"""Personal data in the log can be shredded; the chain does not notice."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit.models import Entry, PersonKey
from backoffice.audit.selectors import chain
from backoffice.audit.services import personal, sealing
from backoffice.kernel.errors import DomainError, NotFound
from tests.attacks import everything, execute, refused
from tests.builders import ROBOT

EVA, ADAM = "accounts.client:5", "accounts.client:6"


@pytest.fixture(autouse=True)
def outside(settings: object, tmp_path: Path) -> None:
    settings.SEAL_HEADS = tmp_path / "heads"  # type: ignore[attr-defined]


def write(person: str, value: str) -> Entry:
    with transaction.atomic():
        data = {"field": "email", "values": [personal.hide(person=person, value=value)]}
        return audit.record(actor=ROBOT, action="client.contact_changed", target=person, data=data)


@pytest.mark.django_db
def test_a_shredded_person_cannot_be_read_and_the_chain_still_verifies() -> None:
    eva, again, adam = write(EVA, "eva@example.com"), write(EVA, "eva@example.org"), write(ADAM, "adam@example.com")
    sealing.seal()
    assert personal.shown(eva.data) == {"field": "email", "values": ["eva@example.com"]}
    assert personal.shown(eva.data, reveal=False) == {"field": "email", "values": [personal.HIDDEN]}
    assert eva.data != again.data

    personal.shred(actor=ROBOT, person=EVA)

    assert personal.shown(eva.data) == personal.shown(again.data) == {"field": "email", "values": [personal.ERASED]}
    assert personal.shown(eva.data, reveal=False)["values"] == [personal.ERASED]
    assert personal.shown(adam.data)["values"] == ["adam@example.com"]
    assert chain.check().findings == []
    assert "eva@" not in str([*Entry.objects.values_list("data", "target"), *PersonKey.objects.values_list()])
    with pytest.raises(personal.Shredded, match="nothing more may be written"):
        write(EVA, "eva@example.net")
    with pytest.raises(personal.Shredded, match="nothing left to do"):
        personal.shred(actor=ROBOT, person=EVA)
    with pytest.raises(NotFound):
        personal.shred(actor=ROBOT, person="accounts.client:7")


@pytest.mark.django_db
def test_the_key_stands_nowhere_in_the_database_in_clear(settings) -> None:
    eva = write(EVA, "eva@example.com")
    wrapped = PersonKey.objects.get().wrapped
    assert personal.unwrapped(PersonKey.objects.get()).hex() not in wrapped
    settings.FIELD_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI="]
    with pytest.raises(DomainError, match="BACKOFFICE_FIELD_KEYS"):
        personal.shown(eva.data)


@pytest.mark.django_db
def test_a_value_cannot_be_moved_to_another_person() -> None:
    eva, _ = write(EVA, "eva@example.com"), write(ADAM, "adam@example.com")
    moved = {**eva.data["values"][0], "personal_of": ADAM}
    assert personal.shown(moved) == "[unreadable]"


@pytest.mark.django_db
def test_a_key_is_shredded_once_and_never_replaced() -> None:
    write(EVA, "eva@example.com")
    for statement in (
        "UPDATE audit_personkey SET wrapped = 'x'",
        "UPDATE audit_personkey SET person = 'x'",
        "UPDATE audit_personkey SET shredded_at = now()",
    ):
        with refused("BO040"):
            execute(statement)
    with refused("42501"):
        execute("DELETE FROM audit_personkey")
    personal.shred(actor=ROBOT, person=EVA)
    before = everything()
    with refused("BO040"):
        execute("UPDATE audit_personkey SET wrapped = 'x', shredded_at = NULL")
    assert everything() == before
