"""The plan while it is being made: what every later step needs to add to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import EXPONENTS, Client, Login, clients, login_of, logins_of, stranger
from backoffice.demo.days import Days, mt4_moment, mt5_moment, mt5_wall, shifted, utc
from backoffice.demo.instruments import MT4_SYMBOLS, MT5_SYMBOLS, Instrument
from backoffice.demo.market import Market
from backoffice.demo.plan import ZERO, Act, BankRow, LpFill, Mt4Row, MtDeal, Plan, Planted, PspRow, Subject
from backoffice.demo.trading import Exit, Position, Trader
from backoffice.kernel.money import quantise

# What the PSP is to take of each payment; the rule of the cash reconciliation says the same.
FEE_RATE = Decimal("0.025")
MERCHANT = "BrokerCY_Online"
_REASONS = {"CLIENT": 0, "EXPERT": 1, "SL": 3, "TP": 4, "SO": 5}
_REMITTANCES = ("{ref}", "Deposit {ref}", "{ref} trading account {login}", "funding ref {ref} thank you")


class Scene:
    """Seed, days and prices, and the plan that grows from them."""

    def __init__(self, seed: int, live: date) -> None:
        self.seed = seed
        self.days = Days.until(live)
        self.starts = mt5_moment(self.days.history[0], 0) - timedelta(days=3)
        # The last reading before the live day's reconciliations.
        self.ends = utc(live + timedelta(days=1), 0, 20)
        self.market = Market(seed, self.starts, self.ends)
        self.plan = Plan(clients(seed, self.days))
        morning = self.days.morning_after
        days = [*self.days.all, *([morning] if morning else [])]
        self.mt5 = Trader(
            Dice(seed, "mt5"), self.market, symbols=MT5_SYMBOLS, moment=mt5_moment, days=days, ends=self.ends
        )
        self.mt4 = Trader(
            Dice(seed, "mt4"), self.market, symbols=MT4_SYMBOLS, moment=mt4_moment, days=days, ends=self.ends
        )
        self._dice = Dice(seed, "scene")
        # Orders at the provider that are part of a fault already.
        self.touched: set[str] = set()
        # The card payment that the scheme takes back, where one was chosen.
        self.disputed: PspRow | None = None
        self._references: set[str] = set()
        self._taken: set[int] = set()
        self._order = 2_000_000 + seed % 1000
        self._mt4_ticket = 88_000_000
        self._fill = 0
        self._late_login = {"CY": 5_190_000, "UK": 790_000}

    # Logins.

    def logins(self, server: str) -> list[Login]:
        return logins_of(self.plan.clients, server)

    def take_login(self, dice: Dice, server: str, *, currency: str | None = None, quiet: bool = False) -> Login:
        """A login that no fault has used yet; a quiet one does nothing at all on the live day."""
        begins = mt5_moment(self.days.live, 0)
        busy = {deal.login for deal in self.plan.deals if deal.shows_at >= begins} if quiet else set()
        fitting = [
            login
            for login in self.logins(server)
            if login.number not in self._taken
            and not login.reckless
            and currency in (None, login.currency)
            and login.number not in busy
        ]
        login = dice.one(fitting)
        self._taken.add(login.number)
        return login

    def keep(self, client: Client) -> None:
        """Let nothing go wrong with a client's logins."""
        self._taken.update(login.number for login in client.logins)

    def is_taken(self, client: Client) -> bool:
        """Whether more than one login of a client is spoken for."""
        return sum(login.number in self._taken for login in client.logins) > 1

    def late_login(self, dice: Dice, entity: str, currency: str | None = None) -> Login:
        """A login that is opened on the live day, of a client who comes with it."""
        self._late_login[entity] += dice.number(1, 9)
        number = self._late_login[entity]
        return login_of(dice, stranger(dice, entity, number % 10_000, self.days), number, currency)

    # References and numbers.

    def reference(self, letter: str) -> str:
        """A new reference of ours: D for deposits, W for withdrawals."""
        while True:
            found = f"{letter}-{self._dice.text(8)}"
            if found not in self._references:
                self._references.add(found)
                return found

    def order(self) -> int:
        self._order += self._dice.number(1, 3)
        return self._order

    def mt4_ticket(self) -> int:
        self._mt4_ticket += self._dice.number(1, 4)
        return self._mt4_ticket

    def plant(
        self,
        klass: str,
        entity: str,
        subject: Subject,
        why: str,
        *,
        opens: date | None = None,
        resolves: date | None = None,
        amount: Decimal | None = None,
    ) -> None:
        """Note a break that must be found, on the live day unless told otherwise."""
        self.plan.planted.append(
            Planted(klass, entity, subject, why, opens or self.days.live, resolves=resolves, amount=amount)
        )

    def balance_differs(self, login: Login, amount: Decimal, why: str, *, opens: date | None = None) -> None:
        """Note that the server's balance of a login is off the ledger's by an amount at the end of a day."""
        if amount:
            day = opens or self.days.live
            self.plant("BALANCE", login.entity, login_key(login, day), why, opens=day, amount=amount)

    def act(self, at: datetime, act: Act) -> None:
        self.plan.acts.append((at, act))

    # The trade servers.

    def operation(
        self,
        login: Login,
        amount: Decimal,
        at: datetime,
        comment: str,
        *,
        action: int = 2,
        shows_at: datetime | None = None,
    ) -> MtDeal | Mt4Row:
        """Money booked on a trading account; the action is MT5's, MT4 knows balance (2) and credit (3)."""
        amount = quantise(amount, login.exponent)
        if login.server == "mt4-uk":
            command = 7 if action == 3 else 6
            row = Mt4Row(self.mt4_ticket(), login.number, command, at, at, profit=amount, comment=comment)
            self.plan.mt4.append(row)
            return row
        deal = MtDeal(login.number, action, at, shows_at or at, profit=amount, comment=comment, reason=2)
        self.plan.deals.append(deal)
        return deal

    def opening(self, position: Position, *, shows_at: datetime | None = None) -> MtDeal:
        """The deal that opens a position."""
        number = self.order()
        deal = MtDeal(
            login=position.login.number,
            action=0 if position.side > 0 else 1,
            at=position.at,
            shows_at=shows_at or position.at,
            symbol=position.symbol.name,
            lots=position.lots,
            price=position.price,
            commission=position.commission,
            position=number,
            order=number,
        )
        self.plan.deals.append(deal)
        return deal

    def closing(self, position: Position, opened: MtDeal, done: Exit) -> MtDeal:
        """The deal that closes a position or a part of it."""
        deal = MtDeal(
            login=position.login.number,
            action=1 if position.side > 0 else 0,
            at=done.at,
            shows_at=max(done.at, opened.shows_at),
            entry=1,
            symbol=position.symbol.name,
            lots=done.lots,
            price=done.price,
            profit=done.profit,
            swap=done.swap,
            commission=done.commission,
            position=opened.position,
            order=self.order(),
            reason=_REASONS[done.reason],
            comment={"SL": f"[sl {done.price}]", "TP": f"[tp {done.price}]"}.get(done.reason, ""),
        )
        self.plan.deals.append(deal)
        return deal

    def hedge(self, dice: Dice, deal: MtDeal, instrument: Instrument, contract: int) -> list[LpFill]:
        """Send a deal to the liquidity provider: in one fill, now and then in two that add up."""
        self._fill += 1
        deal.gateway, deal.external = "LP", f"LP{self._fill:08}"
        parts = [deal.lots]
        half = (deal.lots / 2).quantize(Decimal("0.01"))
        if dice.chance(5) and 0 < half < deal.lots:
            parts = [half, deal.lots - half]
        fills = [self.fill(dice, deal, instrument, lots * contract) for lots in parts]
        self.plan.fills += fills
        return fills

    def fill(self, dice: Dice, deal: MtDeal, instrument: Instrument, units: Decimal) -> LpFill:
        """An execution that fits a deal: a little better than the client's price, a moment later."""
        better = quantise(deal.price * dice.number(0, 18) / 100_000, instrument.digits)
        price = deal.price - better if deal.action == 0 else deal.price + better
        at = deal.at + timedelta(milliseconds=dice.number(40, 1900))
        worth = self.market.convert(price * units, instrument.quote, "USD", at)
        self._fill += 1
        return LpFill(
            exec_id=f"EX{self._fill:010}",
            order_ref=deal.external,
            symbol=instrument.lp_symbol,
            side="B" if deal.action == 0 else "S",
            units=units,
            price=price,
            at=at,
            commission=max(quantise(worth * 25 / 1_000_000, 2), Decimal("0.01")),
            file_day=mt5_wall(at).date(),
        )

    # PSP and banks.

    def settled(
        self, reference: str, currency: str, gross: Decimal, day: date, exponent: int, *, fee: Decimal | None = None
    ) -> PspRow:
        """A card payment in the PSP's report of a day."""
        agreed = quantise(gross * FEE_RATE, exponent)
        return self.psp("Settled", reference, currency, gross, day, fee=agreed if fee is None else fee)

    def psp(
        self, kind: str, reference: str, currency: str, gross: Decimal, day: date, *, fee: Decimal = ZERO
    ) -> PspRow:
        dice, exponent = self._dice, EXPONENTS[currency]
        row = PspRow(
            day=day,
            kind=kind,
            reference=reference,
            currency=currency,
            gross=quantise(gross, exponent),
            fee=quantise(fee, exponent),
            psp_reference=dice.digits(16),
            modification=dice.digits(16),
            method=dice.one(("visa", "mc", "visa", "mc", "ideal", "trustly")),
            created=utc(shifted(day, -1), dice.number(6, 20), dice.number(0, 59)),
        )
        self.plan.psp.append(row)
        return row

    def wire(self, login: Login, amount: Decimal, day: date, reference: str) -> BankRow:
        """A transfer from or to a client on our bank account: a deposit names its reference in the text."""
        coming = amount > 0
        text = self._dice.one(_REMITTANCES).format(ref=reference, login=login.number)
        row = BankRow(
            bank="bank-uk" if login.entity == "UK" else "bank-cy",
            day=day,
            currency=login.currency,
            amount=quantise(amount, login.exponent),
            code=("PMNT", "RCDT", "XBCT") if coming else ("PMNT", "ICDT", "XBCT"),
            name=login.client.name,
            account=login.client.iban,
            end_to_end="" if coming else reference,
            remittance=text if coming else f"Withdrawal {login.number}",
        )
        self.plan.bank.append(row)
        return row

    def bank_line(
        self, bank: str, day: date, currency: str, amount: Decimal, text: str, *, code: Sequence[str], name: str = ""
    ) -> BankRow:
        """A line of the bank's that no client of ours is behind."""
        domain, family, sub = code
        row = BankRow(bank, day, currency, amount, (domain, family, sub), name=name, remittance=text)
        self.plan.bank.append(row)
        return row


def login_key(login: Login, day: date) -> str:
    """The key of a balance break."""
    return f"login:{{{login.server}}}:{login.number}:{day}"
