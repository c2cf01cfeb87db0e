"""What a client's logins hold and when they last did something: asked before a client becomes dormant or is closed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db import connection as database

from accounts.models import TradingAccount, Wallet
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances

_OPEN_POSITIONS = """
SELECT a.login
  FROM accounts_tradingaccount a
 WHERE a.client_id = %s
   AND (EXISTS (SELECT FROM integrations_deal d
                 WHERE d.entity_id = a.entity_id AND d.connection_id = a.connection_id AND d.login = a.login
                   AND d.kind = 'TRADE' AND d.position_id <> 0 AND NOT d.deleted
                   AND NOT EXISTS (SELECT FROM integrations_superseded s
                                    WHERE s.fact_kind = 'deal' AND s.fact_id = d.id)
                 GROUP BY d.position_id
                HAVING bool_or(d.entry IN ('IN', 'INOUT'))
                   AND sum(CASE d.side WHEN 'BUY' THEN d.volume_lots ELSE -d.volume_lots END) <> 0)
     OR (SELECT s.equity <> s.balance + s.credit FROM integrations_accountsnapshot s
          WHERE s.entity_id = a.entity_id AND s.connection_id = a.connection_id AND s.login = a.login
          ORDER BY s.business_date DESC, s.version DESC LIMIT 1))
 ORDER BY a.login
"""
_LAST_DEAL = """
SELECT a.client_id, max(d.dealt_at)
  FROM accounts_tradingaccount a
 CROSS JOIN LATERAL (SELECT dealt_at FROM integrations_deal d
                      WHERE d.login = a.login AND d.connection_id = a.connection_id AND d.entity_id = a.entity_id
                      ORDER BY d.login, d.dealt_at DESC, d.id DESC LIMIT 1) d
 WHERE a.client_id = ANY (%s)
 GROUP BY a.client_id
"""


def logins_with_positions(client_id: int) -> list[int]:
    """Logins of a client that hold open positions: by their deals, or by the floating result of the newest snapshot."""
    with database.cursor() as cursor:
        cursor.execute(_OPEN_POSITIONS, [client_id])
        return [login for (login,) in cursor.fetchall()]


def last_deals(client_ids: Iterable[int]) -> dict[int, datetime]:
    """The moment of each client's newest deal; clients without deals are left out."""
    with database.cursor() as cursor:
        cursor.execute(_LAST_DEAL, [list(client_ids)])
        return dict(cursor.fetchall())


def holdings(client_id: int) -> list[tuple[str, Decimal]]:
    """(currency, balance as people read it) of the client's logins and wallets that are not at zero, what is set aside
    for payments included; credit is not the client's."""
    logins = TradingAccount.objects.filter(client_id=client_id).values_list("balance_account_id", "reserved_account_id")
    wallets = Wallet.objects.filter(client_id=client_id).values_list("account_id", "reserved_id")
    found = balances({key for pair in (*logins, *wallets) for key in pair if key is not None})
    codes = dict(LedgerAccount.objects.filter(pk__in=found).values_list("pk", "currency_id"))
    totals: dict[str, Decimal] = {}
    for account_id, amount in found.items():
        totals[codes[account_id]] = totals.get(codes[account_id], Decimal(0)) - amount
    return sorted((currency, total) for currency, total in totals.items() if total)


def funded(client_ids: Iterable[int]) -> set[int]:
    """Clients with money on any login."""
    rows = TradingAccount.objects.filter(client_id__in=list(client_ids)).values_list("client_id", "balance_account_id")
    owner = {account_id: client_id for client_id, account_id in rows}
    return {owner[account_id] for account_id, amount in balances(owner).items() if amount < 0}
