"""A MetaTrader 5 access server to work against without one: the Web API over HTTP on this machine.

It shares nothing with the adapter but the protocol. Both ends written twice is the point: a mistake made once cannot
hide on both sides.
"""

from __future__ import annotations

from integrations.simulators.mt5_webapi.server import Simulator

__all__ = ["Simulator"]
