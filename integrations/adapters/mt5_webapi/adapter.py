"""A MetaTrader 5 server as the house sees it: settings, a connection test, deals and account states.

Times in and out are the server's wall clock without a zone, as in records.Deal. Whether a server takes `from` and `to`
in that clock too is not documented; until the connection test has shown it for a server, windows are widened by
`margin_minutes` on both sides and what is outside the wanted window is dropped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from integrations.adapters.failures import BadAnswer, BadSetting
from integrations.adapters.mt5_webapi import mapping, margins, orders, retcodes
from integrations.adapters.mt5_webapi.client import Client
from integrations.adapters.mt5_webapi.failures import OutcomeUnknown
from integrations.adapters.mt5_webapi.mapping import EPOCH, BadField, ServerClock
from integrations.adapters.mt5_webapi.windows import DealReader
from integrations.adapters.transport import parse_address, tls_context
from integrations.ports import Probe, Pulled, Raw, ServerError, Setting, TradeServer, TradeServerAdapter, UserPage
from integrations.records import DealKind, GroupTerms, Margin, Rejected, User, UserState

# Logins per get_batch call: the request must fit into one address line.
_LOGINS_AT_ONCE = 200
_PROBE_SPAN = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


class Mt5Server:
    """One signed-in manager account. Not for use by several threads."""

    def __init__(self, client: Client, *, groups: str, slice_seconds: int, margin: timedelta) -> None:
        self._client = client
        self._groups = groups
        self._margin = margin
        self._reader = DealReader(client, groups, slice_seconds=slice_seconds)
        self._groups_read: dict[str, Mapping[str, Any]] = {}

    def deals(self, *, since: datetime, until: datetime) -> Pulled:
        """All deals with Time or TimeMsc in [since, until] (naive server time, widened to whole seconds).

        A deal that came twice, in one answer or in two, is there once, as it was last sent. Raises ServerError.
        """
        clock = self._clock()
        start, end = _seconds(since), _seconds(until + _SECOND - _TICK)
        margin = int(self._margin.total_seconds())
        read = list(self._reader.read(start - margin, end + margin, now=_seconds(clock.now)))
        items = [item for item in read if _is_wanted(item, start, end)]
        if not margin and len(items) < len(read):
            raise ServerError(
                "The server gave deals of other times than asked for: it does not take query times in server time. "
                "Set margin_minutes above its UTC offset.",
                retry=False,
            )
        good, bad = mapping.deals(items, clock)
        latest = {raw.external_id: raw for raw in good}
        return Pulled(list(latest.values()), _distinct(bad), clock.now, clock.utc_offset_minutes)

    def deal(self, ticket: int) -> Raw | None:
        """One deal by its ticket, whatever group it is in; None when there is none (any more). Raises ServerError."""
        clock = self._clock()
        answer = self._client.call("/api/deal/get", {"ticket": str(ticket)})
        if answer is None:
            return None
        good, bad = mapping.deals(answer if isinstance(answer, list) else [answer], clock)
        if bad or len(good) != 1 or good[0].external_id != f"deal:{ticket}":
            reason = f"{bad[0].field}: {bad[0].reason}" if bad else "the answer is about something else"
            raise ServerError(f"/api/deal/get: deal {ticket} cannot be read ({reason}).", retry=False)
        return good[0]

    def accounts(self) -> Pulled:
        """State of every account of the groups. Raises ServerError."""
        clock = self._clock()
        logins = [str(login) for login in self.logins()]
        users: dict[str, Mapping[str, Any]] = {}
        states: list[Any] = []
        for first in range(0, len(logins), _LOGINS_AT_ONCE):
            wanted = {"login": ",".join(logins[first : first + _LOGINS_AT_ONCE])}
            for user in self._rows("/api/user/get_batch", wanted):
                if isinstance(user, dict):
                    users[str(user.get("Login"))] = user
            states += self._rows("/api/user/account/get_batch", wanted)
        names = {str(user.get("Group", "")).strip() for user in users.values()}
        currencies = {name: self._currency(name) for name in sorted(names)}
        good, bad = mapping.accounts(states, users, currencies, clock)
        latest = {raw.external_id: raw for raw in good}
        return Pulled(list(latest.values()), _distinct(bad), clock.now, clock.utc_offset_minutes)

    def logins(self) -> list[int]:
        """Every login of the groups, in ascending order. Raises ServerError."""
        found = [str(login) for login in self._rows("/api/user/logins", {"group": self._groups})]
        odd = next((login for login in found if not re.fullmatch(r"[1-9]\d{0,18}", login)), None)
        if odd is not None:
            raise BadAnswer(f"/api/user/logins: {odd[:40]!r} is not a login.")
        return sorted({int(login) for login in found})

    def users(self, logins: Sequence[int]) -> Iterator[UserPage]:
        """These logins, _LOGINS_AT_ONCE at a time, each page asked for when it is wanted. Raises ServerError."""
        for first in range(0, len(logins), _LOGINS_AT_ONCE):
            asked = logins[first : first + _LOGINS_AT_ONCE]
            rows = self._rows("/api/user/get_batch", {"login": ",".join(map(str, asked))})
            good: dict[int, User] = {}
            bad: list[Rejected] = []
            for line, row in enumerate(rows, start=1):
                try:
                    read = self._user(row)
                except BadField as error:
                    bad.append(Rejected(line, error.field, error.reason, f"login {_login_of(row)}"))
                else:
                    good[read.login] = read
            yield UserPage(asked, list(good.values()), _distinct(bad))

    def margins(self, logins: Sequence[int]) -> Iterator[Sequence[Margin]]:
        """Equity and margin of these logins, _LOGINS_AT_ONCE at a time. Raises ServerError."""
        for first in range(0, len(logins), _LOGINS_AT_ONCE):
            asked = ",".join(map(str, logins[first : first + _LOGINS_AT_ONCE]))
            found = map(margins.margin, self._rows("/api/user/account/get_batch", {"login": asked}))
            yield [item for item in found if item is not None]

    def group(self, name: str) -> GroupTerms | None:
        """Currency and stop-out of a group. Raises ServerError."""
        found = margins.group_terms(self._group(name))
        return found if found is not None and found.name == name else None

    def user(self, login: int) -> User | None:
        """One login, whatever group it is in. Raises ServerError."""
        answer = self._client.call("/api/user/get", {"login": str(login)})
        if answer is None:
            return None
        try:
            read = self._user(answer)
        except BadField as error:
            raise ServerError(f"/api/user/get: login {login} cannot be read ({error}).", retry=False) from error
        if read.login != login:
            raise BadAnswer(f"/api/user/get: asked for login {login}, told of {read.login}.")
        return read

    def change_user(self, before: User, wanted: UserState) -> None:
        """user/update with the fields that differ. Raises ServerError, OutcomeUnknown."""
        changes = mapping.user_changes(before, wanted)
        if changes:
            self._client.change("/api/user/update", body={"Login": str(before.login), **changes})

    def balance(self, *, login: int, kind: DealKind, amount: Decimal, comment: str) -> int:
        """trade/balance, with the server's own check of margin and balance. Raises ServerError, OutcomeUnknown."""
        params = {
            "login": str(login),
            "type": str(mapping.OPERATION_TYPES[kind]),
            "balance": orders.amount_text(amount),
            "comment": comment,
        }
        try:
            answer = self._client.change("/api/trade/balance", params)
        except OutcomeUnknown:
            raise
        except ServerError as error:
            if error.retcode in retcodes.PERHAPS_BOOKED:
                raise OutcomeUnknown(f"{error} Look for the deal first.") from error
            raise
        ticket = orders.ticket_of(answer)
        if ticket is None:
            raise OutcomeUnknown("/api/trade/balance: done, but the answer has no ticket. Look for the deal first.")
        return ticket

    def deals_of(self, login: int, *, since: datetime, until: datetime) -> Pulled:
        """Every deal of one login in a window of naive server time, as many as the server counts. Raises ServerError.

        The window is taken as it is: whoever asks leaves room for a server that takes query times in UTC.
        """
        clock = self._clock()
        good, bad = mapping.deals(self._reader.of_login(login, _seconds(since), _seconds(until)), clock)
        return Pulled(good, _distinct(bad), clock.now, clock.utc_offset_minutes)

    def probe(self) -> list[Probe]:
        """Try sign-in, clock, users, account states, groups and deals. Refusals are results here and not raised."""
        try:
            self._client.ensure_session()
        except ServerError as error:
            return [Probe("Sign-in", False, str(error))]
        signed_in = f"Signed in; access server version {self._client.server_version or 'not told'}."
        steps = (
            ("Clock", self._probe_clock),
            ("Users", self._probe_users),
            ("Account states", self._probe_accounts),
            ("Deals", self._probe_deals),
            ("Query times", self._probe_query_times),
        )
        results = [Probe("Sign-in", True, signed_in)]
        for name, step in steps:
            try:
                results.append(Probe(name, *step()))
            except ServerError as error:
                results.append(Probe(name, False, str(error)))
        return results

    def close(self) -> None:
        self._client.close()

    def _clock(self) -> ServerClock:
        server = self._client.call("/api/time/server")
        configuration = self._client.call("/api/time/get")
        try:
            return mapping.clock(server, configuration)
        except BadField as error:
            raise ServerError(f"The server's clock cannot be read: {error}.", retry=False) from error

    def _rows(self, path: str, params: Mapping[str, str]) -> list[Any]:
        answer = self._client.call(path, params)
        if answer is None:
            return []
        if not isinstance(answer, list):
            raise BadAnswer(f"{path}: the answer is not a list.")
        return answer

    def _user(self, row: Any) -> User:
        group = mapping.group_of(row)
        return mapping.user(row, currency=self._currency(group) if group else "")

    def _currency(self, group: str) -> str:
        """Deposit currency of a group; empty when the server does not know the group, which rejects its accounts."""
        currency = self._group(group).get("Currency")
        return currency.strip() if isinstance(currency, str) else ""

    def _group(self, name: str) -> Mapping[str, Any]:
        """A group's record, asked for once in a session; empty when the server does not know it."""
        if name not in self._groups_read:
            answer = self._client.call("/api/group/get", {"group": name})
            self._groups_read[name] = answer if isinstance(answer, dict) else {}
        return self._groups_read[name]

    def _probe_clock(self) -> tuple[bool, str]:
        clock = self._clock()
        hours, minutes = divmod(abs(clock.utc_offset_minutes), 60)
        sign = "-" if clock.utc_offset_minutes < 0 else "+"
        return True, f"Server time {clock.now:%Y-%m-%d %H:%M:%S}, UTC{sign}{hours:02d}:{minutes:02d}."

    def _probe_users(self) -> tuple[bool, str]:
        logins = self.logins()
        if not logins:
            return False, f"No account is in the groups {self._groups!r}. Check the mask, and the manager's groups."
        return True, f"{len(logins)} accounts in the groups {self._groups!r}."

    def _probe_accounts(self) -> tuple[bool, str]:
        logins = self.logins()[:1]
        if not logins:
            return False, "No account to ask for."
        wanted = {"login": str(logins[0])}
        users = self._rows("/api/user/get_batch", wanted)
        states = self._rows("/api/user/account/get_batch", wanted)
        group = str(users[0].get("Group", "")) if users and isinstance(users[0], dict) else ""
        currency = self._currency(group)
        if not states or not currency:
            return False, f"Account {logins[0]}: no state, or its group {group!r} has no currency."
        return True, f"Balance, credit and equity can be read; account {logins[0]} is in {currency}."

    def _probe_deals(self) -> tuple[bool, str]:
        good, bad = mapping.deals(self._recent_deals(), self._clock())
        if bad:
            return (
                False,
                f"{len(bad)} of {len(good) + len(bad)} deals of the last hour cannot be read: {bad[0].reason}.",
            )
        return True, f"Deals can be read; {len(good)} in the last hour."

    def _probe_query_times(self) -> tuple[bool, str]:
        """Whether `from` and `to` are server time: then a deal is found by exactly the time it names."""
        if self._clock().utc_offset_minutes == 0:
            return True, "The server's clock is UTC, so query times cannot be mistaken."
        newest = max((times[0] for times in map(mapping.seconds, self._recent_deals()) if times), default=None)
        if newest is None:
            return True, "Not shown yet: no deal in the last hour. Keep the query margin as it is."
        if any(newest in mapping.seconds(item) for item in self._reader.read(newest, newest, now=newest)):
            return True, "Query times are server time; the query margin may be set to 0."
        return False, "A deal is not found by its own time: keep a query margin larger than the server's UTC offset."

    def _recent_deals(self) -> list[Any]:
        now = self._clock().now
        margin = int(self._margin.total_seconds())
        start, end = _seconds(now - _PROBE_SPAN), _seconds(now)
        found = self._reader.read(start - margin, end + margin, now=end)
        return [item for item in found if _is_wanted(item, start, end)]


class Mt5WebApi:
    """How an MT5 server is reached."""

    name = "mt5_webapi"
    title = "MetaTrader 5 (Web API)"
    settings: Sequence[Setting] = (
        Setting("base_url", "Address", "https://host:port of the access server; plain http to this machine only."),
        Setting("login", "Manager login", "A manager account with the connection type “Web API”."),
        Setting("password", "Manager password", secret=True),
        Setting("groups", "Groups", r"Masks, separated by commas; ! excludes: real\*,!real\test*"),
        # Read by whoever makes a login close-only: MetaTrader has no such right, only groups that have it.
        Setting(
            "close_only_group",
            "Close-only group",
            r"Where a login may only close positions, {currency} stands for the account's: real\close-{currency}",
            False,
        ),
        Setting("agent", "Agent name", "How we name ourselves to the server; no spaces.", False, default="backoffice"),
        Setting("ca_file", "Certificate authority", "PEM file, where the server has its own authority.", False),
        # Read by whoever turns server times into UTC, not by this adapter.
        Setting(
            "clock_rule",
            "Clock rule",
            "NY+7, UTC+120 or a zone such as Europe/Athens; empty: learned from what the server reports.",
            False,
        ),
        Setting("slice_minutes", "Longest query", "Minutes of deals asked for in one call.", False, default="60"),
        Setting(
            "margin_minutes",
            "Query margin",
            "Minutes by which queries are widened on both sides, until the connection test has shown that the server "
            "takes query times in server time; then 0.",
            False,
            default="180",
        ),
        Setting("timeout_seconds", "Time-out", "Longest wait for one answer, in seconds.", False, default="30"),
    )

    def open(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> TradeServer:
        """Check the settings; the connection is made by the first call. Raises BadSetting."""
        given = {item.name: settings.get(item.name, "").strip() or item.default for item in self.settings}
        address = parse_address(given["base_url"])
        if not re.fullmatch(r"[1-9]\d{0,18}", given["login"]):
            raise BadSetting("login: the manager's login is a whole number.")
        if not re.fullmatch(r"[!-~]{1,64}", given["agent"]):
            raise BadSetting("agent: use letters, digits and signs, no spaces, at most 64.")
        groups = ",".join(mask for mask in (part.strip() for part in given["groups"].split(",")) if mask)
        if not groups or len(groups) > 2000:
            raise BadSetting("groups: name at least one group mask, and at most 2000 characters of them.")
        if not secrets.get("password"):
            raise BadSetting("password: the manager's password is missing.")
        client = Client(
            address,
            login=given["login"],
            password=secrets["password"],
            agent=given["agent"],
            tls=tls_context(given["ca_file"]) if address.encrypted else None,
            timeout_seconds=float(_whole(given, "timeout_seconds", 1, 600)),
        )
        return Mt5Server(
            client,
            groups=groups,
            slice_seconds=60 * _whole(given, "slice_minutes", 1, 7 * 24 * 60),
            margin=timedelta(minutes=_whole(given, "margin_minutes", 0, 2 * 24 * 60)),
        )


def _whole(given: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = given[name]
    if not re.fullmatch(r"\d{1,6}", text) or not least <= int(text) <= most:
        raise BadSetting(f"{name}: write a whole number from {least} to {most}.")
    return int(text)


def _seconds(moment: datetime) -> int:
    """Whole seconds since 1970 of a server time, rounded down."""
    assert moment.tzinfo is None, "server times have no zone"
    return (moment - EPOCH) // _SECOND


def _is_wanted(item: Any, start: int, end: int) -> bool:
    """Whether a record belongs to the window. One without a readable time does: it has to be seen to be rejected."""
    times = mapping.seconds(item)
    return not times or any(start <= moment <= end for moment in times)


def _login_of(row: Any) -> str:
    return str(row.get("Login", "?"))[:20] if isinstance(row, Mapping) else "?"


def _distinct(rejected: Sequence[Rejected]) -> list[Rejected]:
    """A record that came twice is rejected once."""
    return list({(item.field, item.reason, item.raw): item for item in rejected}.values())


ADAPTER: TradeServerAdapter = Mt5WebApi()
