"""A card PSP to work against without one: payouts and refunds in the style of Checkout.com's API, on this machine.

It shares nothing with the adapter but the protocol: a mistake made once cannot hide on both sides.
"""

from __future__ import annotations

from integrations.simulators.psp_card.protocol import CardPsp

__all__ = ["CardPsp"]
