"""Executions of a liquidity provider from a CSV whose layout a profile describes."""

from integrations.adapters.lp_fills.reader import READER

__all__ = ["READER"]
