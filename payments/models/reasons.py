"""Why a withdrawal was not paid: codes, with the words for the house and those the client reads.

The public words say nothing that a client must not learn; a review has the same ones as everything that is undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """`label` is for staff, `public` for the client."""

    label: str
    public: str


REFUSALS: Mapping[str, Refusal] = {
    "PAYEE_MISMATCH": Refusal(
        "payee mismatch", "The account details do not match our records. Please contact support to correct them."
    ),
    "THIRD_PARTY": Refusal("third-party account", "We pay to accounts in your own name only."),
    "SOURCE_FIRST": Refusal(
        "has to go back to its source first", "Please ask for a withdrawal to the method you paid in with first."
    ),
    "PAPERS": Refusal("papers are missing", "We need more documents before we can pay. Please contact support."),
    "MARGIN": Refusal("margin too small", "Open positions need the money. Please close positions or ask for less."),
    "DUPLICATE": Refusal("entered twice", "We have the same request from you already."),
    "TERMS": Refusal("against the terms", "The request does not meet our terms. Please contact support."),
    "CLIENT": Refusal("the client asked", "The request was cancelled as you asked."),
    "OTHER": Refusal("other", "We could not process the request. Please contact support."),
}
LABELS = {code: refusal.label for code, refusal in REFUSALS.items()}
# What the client reads of steps that nobody chose words for.
PUBLIC_SENT = "Your withdrawal was sent."
PUBLIC_DONE = "Your withdrawal has arrived at your bank or payment provider."
PUBLIC_FAILED = "Your withdrawal could not be paid out. The money is back on your account."
PUBLIC_DEPOSIT = "Your deposit was credited."
