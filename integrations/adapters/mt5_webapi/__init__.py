"""MetaTrader 5 through its Web API: the REST form over HTTPS, as a manager account."""

from __future__ import annotations

from integrations.adapters.mt5_webapi.adapter import ADAPTER

__all__ = ["ADAPTER"]
