"""What a login at a trade server may do, what it ties up and under which terms."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import IntEnum


class Right(IntEnum):
    """Bits of a login's rights that the house reads or writes; names and values are MT5's EnUsersRights.

    TRADE_DISABLED is inverted: set, it forbids. The server's other bits (READONLY, INVESTOR, CONFIRMED, ...) are its
    own business: they are carried along as they were read and never written. Plain numbers and no IntFlag: the
    complement of a flag forgets the bits that have no name here.
    """

    ENABLED = 0x1
    TRADE_DISABLED = 0x4
    RESET_PASS = 0x400
    TECHNICAL = 0x10000
    EXCLUDE_REPORTS = 0x20000


@dataclass(frozen=True, slots=True, kw_only=True)
class UserState:
    """What a login should be able to do. None leaves alone what the server has.

    `leverage` 30 means 1:30. `reset_password` demands that the client chooses a new password at the next log-in; the
    server takes the demand back by itself when that has happened. `technical` and `exclude_reports` mark a login of the
    house's own, which the server leaves out of its statements.
    """

    enabled: bool | None = None
    trading: bool | None = None
    group: str | None = None
    leverage: int | None = None
    reset_password: bool | None = None
    technical: bool | None = None
    exclude_reports: bool | None = None

    @property
    def named(self) -> dict[str, bool | int | str]:
        """Only what is wished for, by field."""
        pairs = ((part.name, getattr(self, part.name)) for part in fields(self))
        return {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A login as its trade server has it. `rights` are all of the server's bits (see Right). `device` and `address` are
    where the client was last signed in from: MT5's MQID and LastIP. They are kept as keyed digests only."""

    login: int
    rights: int
    group: str
    leverage: int
    currency: str
    device: str = field(default="", repr=False, compare=False)
    address: str = field(default="", repr=False, compare=False)

    @property
    def state(self) -> UserState:
        return UserState(
            enabled=bool(self.rights & Right.ENABLED),
            trading=not self.rights & Right.TRADE_DISABLED,
            group=self.group,
            leverage=self.leverage,
            reset_password=bool(self.rights & Right.RESET_PASS),
            technical=bool(self.rights & Right.TECHNICAL),
            exclude_reports=bool(self.rights & Right.EXCLUDE_REPORTS),
        )

    def lacks(self, wanted: UserState) -> dict[str, bool | int | str]:
        """What is wished for and is not so; empty when the server agrees."""
        has = self.state
        return {name: value for name, value in wanted.named.items() if getattr(has, name) != value}

    def rights_for(self, wanted: UserState) -> int:
        """These rights with the wished-for bits flipped, and no other."""
        rights = self.rights
        for bit, is_set in (
            (Right.ENABLED, wanted.enabled),
            (Right.TRADE_DISABLED, None if wanted.trading is None else not wanted.trading),
            (Right.RESET_PASS, wanted.reset_password),
            (Right.TECHNICAL, wanted.technical),
            (Right.EXCLUDE_REPORTS, wanted.exclude_reports),
        ):
            if is_set is not None:
                rights = rights | bit if is_set else rights & ~bit
        return int(rights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What a login's open positions tie up now, in its deposit currency. Both figures are the server's own; equity may
    be negative. `leverage` 100 means 1:100 and is the one the margin was worked out with; 0: not told."""

    login: int
    equity: Decimal
    margin: Decimal
    leverage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTerms:
    """What a group of logins trades under. The server closes positions when the margin level falls below `stop_out`
    percent, or, `in_money`, when free margin falls below that much of the deposit currency."""

    name: str
    currency: str
    stop_out: Decimal
    in_money: bool
