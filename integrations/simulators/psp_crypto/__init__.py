"""A crypto PSP to work against without one: withdrawals in the style of CoinsPaid's API, on this machine.

It shares nothing with the adapter but the protocol: a mistake made once cannot hide on both sides.
"""

from __future__ import annotations

from integrations.simulators.psp_crypto.protocol import CryptoPsp

__all__ = ["CryptoPsp"]
