"""Rows for the pages of connections, imports, symbols and raw messages, through the services that make them."""

from __future__ import annotations

import io

from django.db import transaction

from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity
from integrations.models import (
    Connection,
    FileImport,
    FileProfile,
    Instrument,
    RawMessage,
    Rejection,
    ServerCommand,
    SymbolMapping,
)
from integrations.records import UserState
from integrations.services import commands, connections, imports, profiles, raws, symbols
from integrations.services.store import lock_feed
from tests.builders import ROBOT
from tests.camt import balanced, entry, message
from tests.pages import Made, builds
from tests.pages_accounts import broker
from tests.worlds import connection

_SETTINGS = {"base_url": "https://mt5.example:443", "login": "1000", "groups": "*", "clock_rule": "NY+7"}


@builds("connections", "connection", "change-connection", "test-connection", "pull-connection", "pull-logins")
def servers(here: LegalEntity, number: int) -> Made:
    known = Connection.objects.count()
    rows = [
        connections.add(
            actor=ROBOT,
            entity_id=here.pk,
            name=f"server-{known + n}",
            adapter="mt5_webapi",
            settings=_SETTINGS,
            secret_values={"password": "not shown"},
        )
        for n in range(number)
    ]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].name,))


@builds("add-connection", "map-symbol", "upload")
def sources(here: LegalEntity, number: int) -> Made:
    """What a form offers to choose from."""
    known = Connection.objects.count()
    rows = [
        connections.add(
            actor=ROBOT, entity_id=here.pk, name=f"bank-{known + n}", adapter="camt053", settings={}, secret_values={}
        )
        for n in range(number)
    ]
    return Made(words=(rows[0].name,))


@builds("symbols")
def many_symbols(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), SymbolMapping.objects.count()
    instrument = Instrument.objects.get(code="EURUSD")
    for n in range(known, known + number):
        symbols.map_symbol(
            actor=ROBOT, connection_id=w.server.pk, symbol=f"EUR.{n}", instrument_id=instrument.pk, contract_size=None
        )
    return Made(words=(f"EUR.{known}",))


def hand_in(here: LegalEntity, *bodies: str) -> list[FileImport]:
    """Files as far as their preview; what does not prove itself is held."""
    source = connection("camt053", f"statements {here.code}", here.code)
    rows = []
    for body in bodies:
        name, stream = f"day-{FileImport.objects.count()}.xml", io.BytesIO(body.encode())
        received = imports.receive(actor=ROBOT, connection_id=source.pk, stream=stream, filename=name)
        rows.append(imports.examine(actor=ROBOT, import_id=received.pk))
    return rows


@builds("imports", "confirm-import", "discard-import")
def previews(here: LegalEntity, number: int) -> Made:
    known = FileImport.objects.count() + 1
    total = range(known, known + number)
    rows = hand_in(here, *(message(balanced("0", f"{n}.00", entry(f"{n}.00"))) for n in total))
    assert {row.state for row in rows} == {"PREVIEW"}
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].filename,))


@builds("accept-held", "import-progress")
def held(here: LegalEntity, number: int) -> Made:
    known = FileImport.objects.count() + 1
    rows = hand_in(here, *(message(balanced("0", "0.50", entry(f"{n}.00"))) for n in range(known, known + number)))
    assert {row.state for row in rows} == {"HELD"}
    return Made(kwargs={"pk": rows[0].pk})


@builds("rejections", "import")
def rejected_rows(here: LegalEntity, number: int) -> Made:
    """A file with rows that could not be read. A file's rejections do not change once it was read, so those of a
    second call are put beside the reader's own, and the file comes once more."""
    bad = [entry("a lot") for _ in range(number)]
    rows = hand_in(here, *(message(balanced("0", "1.00", entry("1.00"), *bad)) for _ in range(number)))
    oldest = FileImport.objects.order_by("pk")[0]
    if oldest != rows[0]:
        copies = Rejection.objects.filter(file_import=rows[0]).order_by("line")
        Rejection.objects.bulk_create(
            Rejection(file_import=oldest, line=r.line + 100, field=r.field, reason=r.reason, raw=r.raw) for r in copies
        )
    return Made(kwargs={"pk": oldest.pk}, words=() if oldest != rows[0] else ("a lot",))


@builds("raw-message")
def versions_of_a_message(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), RawMessage.objects.count()
    for n in range(known, known + number):
        with transaction.atomic():
            lock_feed(w.server)
            raws.keep_records(
                connection=w.server, bodies={"deal 7": f"body {n}"}, received_at=clock.now(), origin="DEAL_GET"
            )
    first = RawMessage.objects.get(entity=here, external_id="deal 7", version=1)
    return Made(kwargs={"pk": first.pk}, words=("body 0",))


@builds("server-commands", "retry-commands")
def commands_to_a_server(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), ServerCommand.objects.count()
    for n in range(known, known + number):
        with transaction.atomic():
            wanted = UserState(trading=False, leverage=30 + n)
            commands.push_user(
                actor=ROBOT, connection_id=w.server.pk, login=1001 + n, wanted=wanted, key=f"{here.code}:{n}"
            )
    newest = ServerCommand.objects.filter(entity=here)[:number]
    return Made(ids=tuple(row.pk for row in newest), words=("leverage 1:30",))


@builds("add-file-profile")
def an_empty_profile(here: LegalEntity, number: int) -> Made:
    """A form that offers nothing of its own but the entities."""
    return Made()


@builds("file-profiles", "file-profile")
def mapping_profiles(here: LegalEntity, number: int) -> Made:
    spec = {
        "kind": "bank",
        "columns": {"booking_date": "Date", "amount": "Amount", "currency": "Currency"},
        "constants": {"account": "A1"},
    }
    known = FileProfile.objects.count()
    rows = [
        profiles.make(
            actor=ROBOT,
            entity_id=here.pk,
            name=f"bank-{known + n}",
            spec=spec,
            note="as the bank sends it",
            sample=b"Date,Amount,Currency\n2026-11-16,5,EUR\n",
        )
        for n in range(number)
    ]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].name,))
