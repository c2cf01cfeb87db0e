"""The match ladder, pure: two sides of movements and the rules in, what matches, what is wrong and what is likely out.

    1 identifier   both sides carry the same identifier, once, and currency and amount agree       matches by itself
    2 group        the lines of a payout sum to one line of the other side, per currency           matches by itself
    3 reference    a reference in the other side's text, amount agrees, one candidate each way     matches by itself
    4 amount       amount and currency agree within the method's window, one candidate each way    a person decides
    5 fee, rate    the amount less the agreed fee, or at the day's rate within so many points      a person decides
    6 likeness     names or references that are nearly the same                                    a person decides
    7 parts        a few lines sum to one of the other side, in one way only                       a person decides

A tie is never matched. The same ladder runs set-based over our own facts (reconciliation/sql, rungs 1 to 3).
"""

from reconciliation.services.ladder.items import Finding, Item, Match, Proposal, Rules, Rung
from reconciliation.services.ladder.likely import propose
from reconciliation.services.ladder.sure import Matched, match

__all__ = ["Finding", "Item", "Match", "Matched", "Proposal", "Rules", "Rung", "match", "propose"]
