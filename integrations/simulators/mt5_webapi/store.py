"""State of the simulated server, in one SQLite file so that it survives a restart.

Balance and credit of an account are the sums of its deals and are kept with every insert, edit and delete. The text a
deal is sent as is made once, when it is written, so that an answer of thousands of deals is only joined.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integrations.simulators.mt5_webapi import fields
from integrations.simulators.mt5_webapi.errors import BadRequest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS symbols (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    login INTEGER PRIMARY KEY, group_name TEXT NOT NULL REFERENCES groups (name), body TEXT NOT NULL,
    balance INTEGER NOT NULL DEFAULT 0, credit INTEGER NOT NULL DEFAULT 0,
    floating INTEGER NOT NULL DEFAULT 0, margin INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS deals (
    deal INTEGER PRIMARY KEY, login INTEGER NOT NULL REFERENCES users (login), time INTEGER NOT NULL,
    symbol TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deals_by_time ON deals (time, deal);
CREATE INDEX IF NOT EXISTS deals_by_login ON deals (login, time, deal);
"""
_DEFAULT_RIGHTS = 0x1 | 0x2 | 0x20 | 0x40 | 0x100
_USER_TEXTS = ("Name", "FirstName", "LastName", "Country", "Email", "Phone", "Comment", "ID", "Status")
_GROUP_DEFAULTS = {
    "Currency": "USD", "CurrencyDigits": "2", "MarginMode": "2", "MarginCall": "100.00", "MarginStopOut": "50.00",
    "MarginSOMode": "0", "TradeFlags": "0", "Company": "Simulated Broker",
}  # fmt: skip
_SYMBOL_DEFAULTS = {
    "Path": "", "Description": "", "Digits": "5", "ContractSize": "100000.00", "CurrencyBase": "", "CurrencyProfit": "",
    "CurrencyMargin": "", "SwapMode": "1", "SwapLong": "0.00", "SwapShort": "0.00",
}  # fmt: skip


class Store:
    """All state. Safe to use from several threads; every public method is one transaction."""

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; within one already, part of it."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db

    def get(self, name: str) -> str:
        with self._lock:
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()
        return row[0] if row else ""

    def put(self, name: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", [name, value])

    # Reference data.

    def save_groups(self, groups: Iterable[Mapping[str, Any]]) -> None:
        self._save("groups", "Group", groups, _GROUP_DEFAULTS)

    def save_symbols(self, symbols: Iterable[Mapping[str, Any]]) -> None:
        self._save("symbols", "Symbol", symbols, _SYMBOL_DEFAULTS)

    def group(self, name: str) -> dict[str, Any] | None:
        return self._named("groups", name)

    def symbol(self, name: str) -> dict[str, Any] | None:
        return self._named("symbols", name)

    def names(self, table: str) -> list[str]:
        statement = {"groups": "SELECT name FROM groups", "symbols": "SELECT name FROM symbols"}[table]
        with self._lock:
            return [row[0] for row in self._db.execute(statement + " ORDER BY name")]

    def groups_like(self, masks: str) -> list[str]:
        """Groups a mask list names: each mask in turn adds what it matches, or with ! takes it away."""
        chosen: dict[str, None] = {}
        names = self.names("groups")
        for mask in filter(None, (part.strip() for part in masks.split(","))):
            pattern = re.compile(".*".join(map(re.escape, mask.lstrip("!").split("*"))))
            for name in filter(pattern.fullmatch, names):
                if mask.startswith("!"):
                    chosen.pop(name, None)
                else:
                    chosen[name] = None
        return list(chosen)

    # Accounts.

    def save_users(self, users: Iterable[Mapping[str, Any]], *, now: int) -> None:
        """Add accounts, or change the named fields of known ones. Balance and credit only ever follow from deals."""
        with self.transaction() as db:
            for given in users:
                login = fields.whole(given, "Login", 0)
                known = self.user(login)
                body = known or {
                    "Login": str(login), "Group": "", "Rights": str(_DEFAULT_RIGHTS), "Registration": str(now),
                    "LastAccess": "0", "Leverage": "100", "Agent": "0", **dict.fromkeys(_USER_TEXTS, ""),
                }  # fmt: skip
                body |= {key: str(value) for key, value in given.items() if key not in {"Balance", "Credit"}}
                if login <= 0 or self.group(body["Group"]) is None:
                    raise BadRequest(f"User {login}: Login or Group {body['Group']!r} is not known.")
                db.execute(
                    """INSERT INTO users (login, group_name, body) VALUES (?, ?, ?)
                       ON CONFLICT (login) DO UPDATE SET group_name = excluded.group_name, body = excluded.body""",
                    [login, body["Group"], json.dumps(body, ensure_ascii=False)],
                )

    def edit_user(self, login: int, changes: Mapping[str, Any], *, set_bits: int = 0, clear_bits: int = 0) -> None:
        """Change fields of a known account, or single bits of its Rights: by a manager, or by the server itself."""
        with self.transaction():
            before = self.user(login)
            if before is None:
                raise BadRequest(f"There is no account {login}.")
            rights = fields.whole(changes, "Rights", int(before["Rights"]))
            self.save_users([{**changes, "Rights": rights & ~clear_bits | set_bits, "Login": login}], now=0)

    def delete_user(self, login: int) -> None:
        """Remove an account and its deals."""
        with self.transaction() as db:
            db.execute("DELETE FROM deals WHERE login = ?", [login])
            if not db.execute("DELETE FROM users WHERE login = ?", [login]).rowcount:
                raise BadRequest(f"There is no account {login}.")

    def user(self, login: int) -> dict[str, Any] | None:
        """The stored fields of a user, without money."""
        with self._lock:
            row = self._db.execute("SELECT body FROM users WHERE login = ?", [login]).fetchone()
        return json.loads(row[0]) if row else None

    def logins(self, masks: str) -> list[int]:
        with self._lock:
            rows = self._db.execute(
                "SELECT login FROM users WHERE group_name IN (SELECT value FROM json_each(?)) ORDER BY login",
                [json.dumps(self.groups_like(masks))],
            )
            return [row[0] for row in rows]

    def money(self, login: int) -> tuple[int, int, int, int] | None:
        """Balance, credit, floating result and margin of an account, in units."""
        with self._lock:
            row: tuple[int, int, int, int] | None = self._db.execute(
                "SELECT balance, credit, floating, margin FROM users WHERE login = ?", [login]
            ).fetchone()
        return row

    def count_users(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM users").fetchone()[0])

    def set_open_positions(self, login: int, *, floating: int, margin: int) -> None:
        """What open positions are worth and tie up: this server has none, so it is told."""
        with self.transaction() as db:
            db.execute("UPDATE users SET floating = ?, margin = ? WHERE login = ?", [floating, margin, login])

    def scale_margin(self, login: int, *, before: str, after: str) -> None:
        """Another leverage: the same positions tie up more or less."""
        old, new = int(before), int(after)
        if old != new and old > 0 and new > 0:
            with self.transaction() as db:
                db.execute("UPDATE users SET margin = margin * ? / ? WHERE login = ?", [old, new, login])

    def currency_digits(self, login: int) -> int:
        user = self.user(login)
        if user is None:
            raise BadRequest(f"There is no account {login}.")
        group = self.group(user["Group"])
        assert group is not None, "a user's group is a foreign key"
        return int(group["CurrencyDigits"])

    # Deals.

    def add_deals(self, deals: Sequence[Mapping[str, Any]], *, now_msc: int) -> list[int]:
        """Write deals and move the balances; all or none. Returns their tickets, new ones where none was given."""
        balances: Counter[int] = Counter()
        credits: Counter[int] = Counter()
        defaults: dict[tuple[int, str], fields.Defaults] = {}
        rows = []
        with self.transaction() as db:
            following = int(self.get("next_deal") or 1)
            for given in deals:
                ticket = fields.whole(given, "Deal", following)
                following = max(following, ticket + 1)
                key = (fields.whole(given, "Login", 0), str(given.get("Symbol", "")))
                if key not in defaults:
                    defaults[key] = self._defaults(*key)
                deal = fields.complete_deal(given, ticket=ticket, defaults=defaults[key], now_msc=now_msc)
                balance, credit = fields.effects(deal)
                balances[key[0]] += balance
                credits[key[0]] += credit
                rows.append((ticket, key[0], int(deal["Time"]), deal["Symbol"], _text(deal)))
            try:
                db.executemany("INSERT INTO deals (deal, login, time, symbol, body) VALUES (?, ?, ?, ?, ?)", rows)
            except sqlite3.IntegrityError as error:
                raise BadRequest("A deal with one of these tickets exists already.") from error
            for login in balances:
                self._move(login, balances[login], credits[login])
            self.put("next_deal", str(following))
        return [row[0] for row in rows]

    def skip_ticket(self) -> int:
        """Give out a ticket that no deal will have."""
        with self.transaction():
            ticket = int(self.get("next_deal") or 1)
            self.put("next_deal", str(ticket + 1))
        return ticket

    def edit_deal(
        self, ticket: int, changes: Mapping[str, Any], *, flag: int, moves_balance: bool, now_msc: int
    ) -> None:
        """Change a deal after the fact. It keeps its ticket and says by ModifyFlags who changed it."""
        with self.transaction() as db:
            before = self.deal(ticket)
            if before is None:
                raise BadRequest(f"There is no deal {ticket}.")
            merged = fields.merge(before, {**changes, "ModifyFlags": int(before["ModifyFlags"]) | flag})
            login = int(before["Login"])
            if merged["Login"] != before["Login"] or int(merged.get("Deal", ticket)) != ticket:
                raise BadRequest("An edit cannot move a deal to another account or ticket.")
            defaults = self._defaults(login, str(merged["Symbol"]))
            after = fields.complete_deal(merged, ticket=ticket, defaults=defaults, now_msc=now_msc)
            db.execute(
                "UPDATE deals SET time = ?, symbol = ?, body = ? WHERE deal = ?",
                [int(after["Time"]), after["Symbol"], _text(after), ticket],
            )
            if moves_balance:
                (old, old_credit), (new, new_credit) = fields.effects(before), fields.effects(after)
                self._move(login, new - old, new_credit - old_credit)

    def delete_deal(self, ticket: int, *, moves_balance: bool) -> None:
        with self.transaction() as db:
            before = self.deal(ticket)
            if before is None:
                raise BadRequest(f"There is no deal {ticket}.")
            db.execute("DELETE FROM deals WHERE deal = ?", [ticket])
            if moves_balance:
                balance, credit = fields.effects(before)
                self._move(int(before["Login"]), -balance, -credit)

    def deal(self, ticket: int) -> dict[str, Any] | None:
        texts = self.deals_by_ticket([ticket])
        return json.loads(texts[0]) if texts else None

    def deals_by_ticket(self, tickets: Sequence[int]) -> list[str]:
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM deals WHERE deal IN (SELECT value FROM json_each(?)) ORDER BY deal",
                [json.dumps(list(tickets))],
            )
            return [row[0] for row in rows]

    def deals_of_groups(self, masks: str, start: int, end: int, symbol: str) -> list[str]:
        """Texts of all deals of the groups with start <= Time <= end, of one symbol or (empty) of all."""
        with self._lock:
            rows = self._db.execute(
                """SELECT d.body FROM deals d JOIN users u ON u.login = d.login
                    WHERE d.time BETWEEN ? AND ? AND ? IN ('', d.symbol)
                      AND u.group_name IN (SELECT value FROM json_each(?))
                    ORDER BY d.time, d.deal""",
                [start, end, symbol, json.dumps(self.groups_like(masks))],
            )
            return [row[0] for row in rows]

    def deals_of_logins(
        self, logins: Sequence[int], start: int, end: int, symbol: str = "", *, offset: int = 0, limit: int = -1
    ) -> list[str]:
        with self._lock:
            rows = self._db.execute(
                """SELECT body FROM deals
                    WHERE login IN (SELECT value FROM json_each(?)) AND time BETWEEN ? AND ? AND ? IN ('', symbol)
                    ORDER BY time, deal LIMIT ? OFFSET ?""",
                [json.dumps(list(logins)), start, end, symbol, limit, offset],
            )
            return [row[0] for row in rows]

    def count_deals(self, login: int, start: int, end: int) -> int:
        with self._lock:
            row = self._db.execute(
                "SELECT count(*) FROM deals WHERE login = ? AND time BETWEEN ? AND ?", [login, start, end]
            ).fetchone()
        return int(row[0])

    def count_all_deals(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM deals").fetchone()[0])

    def _move(self, login: int, balance: int, credit: int) -> None:
        self._db.execute(
            "UPDATE users SET balance = balance + ?, credit = credit + ? WHERE login = ?", [balance, credit, login]
        )

    def _defaults(self, login: int, symbol: str) -> fields.Defaults:
        found = (self.symbol(symbol) if symbol else None) or {"Digits": "0", "ContractSize": "0"}
        return fields.Defaults(int(found["Digits"]), self.currency_digits(login), found["ContractSize"])

    def _save(self, table: str, key: str, rows: Iterable[Mapping[str, Any]], defaults: Mapping[str, str]) -> None:
        statement = {
            "groups": "INSERT INTO groups VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            "symbols": "INSERT INTO symbols VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
        }[table]
        with self.transaction() as db:
            for given in rows:
                if not given.get(key):
                    raise BadRequest(f"{key} is missing in one of the {table}.")
                body = {key: given[key], **defaults, **{name: str(value) for name, value in given.items()}}
                db.execute(statement, [given[key], json.dumps(body, ensure_ascii=False)])

    def _named(self, table: str, name: str) -> dict[str, Any] | None:
        statement = {
            "groups": "SELECT body FROM groups WHERE name = ?",
            "symbols": "SELECT body FROM symbols WHERE name = ?",
        }[table]
        with self._lock:
            row = self._db.execute(statement, [name]).fetchone()
        return json.loads(row[0]) if row else None


def _text(deal: Mapping[str, Any]) -> str:
    return json.dumps(deal, ensure_ascii=False, separators=(",", ":"))
