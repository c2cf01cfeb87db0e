"""Reservations on trading accounts and the server's own deals that take them.

A withdrawal that was reserved when it was asked for is debited by a deal with our reference in its comment. That deal
takes the reserved money, not the balance, and ends the reservation; undoing the deal gives the reservation back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from django.db.models import Q

from accounts.models import Reservation, ReservationState
from accounts.services.booking.facts import DEAL, Bookable, Row
from accounts.services.booking.plan import REFERENCE
from backoffice.kernel import clock
from integrations.models import Connection
from integrations.records import DealKind
from ledger.models import Journal
from ledger.services.journal import Entry


class Reserved:
    """The reservations that deals of a batch may take or give back; locked, in the order of their ids."""

    def __init__(
        self, connection: Connection, bookable: Bookable, rows: Sequence[Row], undo: Iterable[Journal]
    ) -> None:
        self._open: dict[str, Reservation] = {}
        self._ended: dict[int, Reservation] = {}
        self._taken: dict[str, Reservation] = {}
        self._given_back: dict[int, Reservation] = {}
        references = {_reference(row) for row in rows} - {""} if bookable is DEAL else set()
        undone = [journal.id for journal in undo] if bookable is DEAL else []
        if references or undone:
            self._read(connection, references, undone)

    def _read(self, connection: Connection, references: set[str], undone: Sequence[int]) -> None:
        found = (
            Reservation.objects.select_for_update(of=("self",))
            .select_related("trading_account")
            .filter(Q(state=ReservationState.HELD, reference__in=references) | Q(ended_journal__in=undone))
            .filter(trading_account__connection=connection)
            .order_by("pk")
        )
        for row in found:
            if row.state == ReservationState.HELD:
                self._open[row.reference] = row
            elif row.ended_journal_id is not None:
                self._ended[row.ended_journal_id] = row

    def undone(self, original: Journal) -> None:
        """A deal's journal is reversed: what it took is reserved again."""
        reservation = self._ended.pop(original.id, None)
        if reservation is not None:
            self._given_back[reservation.pk] = self._open[reservation.reference] = reservation

    def taken_by(self, row: Row, entries: list[Entry], key: str) -> list[Entry]:
        """The entries of a deal, on the reserved account where the deal takes exactly what is reserved under its
        reference for its login."""
        reservation = self._open.get(_reference(row)) if self._open else None
        account = reservation.trading_account if reservation is not None else None
        if reservation is None or account is None:
            return entries
        if (account.login, reservation.amount) != (row["login"], -_amount(row)):
            return entries
        del self._open[reservation.reference]
        self._given_back.pop(reservation.pk, None)
        self._taken[key] = reservation
        assert account.reserved_account_id is not None
        return [
            replace(entry, account_id=account.reserved_account_id)
            if entry.account_id == account.balance_account_id
            else entry
            for entry in entries
        ]

    def keep(self, journals: Mapping[str, int]) -> None:
        """Write down what was taken and given back, once the journals (by key) are posted."""
        for reservation in self._given_back.values():
            reservation.state, reservation.ended_at, reservation.ended_journal_id = ReservationState.HELD, None, None
        for key, reservation in self._taken.items():
            reservation.state = ReservationState.USED
            reservation.ended_at, reservation.ended_journal_id = clock.now(), journals[key]
        changed = [*self._given_back.values(), *self._taken.values()]
        Reservation.objects.bulk_update(changed, ["state", "ended_at", "ended_journal"])


def _reference(row: Row) -> str:
    """Our reference in the comment of a balance operation; '' in anything else."""
    if row["kind"] != DealKind.BALANCE.value:
        return ""
    found = REFERENCE.search(row["comment"])
    return found[0] if found else ""


def _amount(row: Row) -> Decimal:
    total: Decimal = row["profit"] + row["swap"] + row["commission"] + row["fee"]
    return total
