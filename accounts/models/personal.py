"""Which columns are about a person, and how each is kept: declared here and nowhere else.

LIVE: in clear while we need it, in a row that may be changed; erasing puts ERASED there. UNDER_KEY: where rows are
only added, the value stands under that client's own key (audit's services/personal.py) and goes with the key.
NOT_PERSONAL: every other column of text in a table about clients, with the reason. A test compares the three with the
models, those of other rooms included: a new column fails it until somebody has decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from django.db import models

# What pages print where a value was. Stands in the live row, too; the same word as in the log.
ERASED = "[erased]"
# What is printed where a row was read without asking for its personal values.
UNREAD = "[personal data]"

LIVE: Mapping[str, tuple[str, ...]] = {"accounts.client": ("name", "email")}
UNDER_KEY: Mapping[str, tuple[str, ...]] = {
    "accounts.historicalclient": ("name", "email"),
    "accounts.note": ("text",),
    "accounts.document": ("name", "sha256"),
    "accounts.kycresult": ("reference",),
    "accounts.flag": ("note",),
    "payments.payee": (
        *("holder", "label", "iban", "account", "bic", "bank", "town", "country"),
        *("token", "last4", "brand", "address", "network", "tag"),
    ),
    "payments.requestevent": ("text",),
    "payments.caseevent": ("text",),
    "payments.fraudevent": ("text",),
}
_CODE = "one of a list of codes"
_GROUP = "a group of a trade server"
_STATUS = {"status": _CODE, "status_reason": _CODE, "category": _CODE}
_CLIENT = {
    **_STATUS,
    "number": "our own number; books and reports that outlive the client go by it",
    "country": "a country alone names nobody; reports that are kept count by it",
}
_HISTORY = {"history_type": _CODE, "history_change_reason": "nobody writes it"}
_DESIRED = {"group": _GROUP, "original_group": _GROUP, "command_key": "made of our numbers"}
NOT_PERSONAL: Mapping[str, Mapping[str, str]] = {
    "accounts.client": _CLIENT,
    "accounts.historicalclient": {**_CLIENT, **_HISTORY},
    "accounts.document": {"kind": _CODE},
    "accounts.kycresult": {"provider": "a company", "outcome": _CODE, "risk": _CODE},
    "accounts.flag": {"kind": _CODE},
    "accounts.consentstep": {"kind": _CODE},
    "accounts.notice": {"kind": _CODE},
    "accounts.statuschange": {"before": _CODE, "after": _CODE, "reason": _CODE},
    "accounts.restriction": {"kind": _CODE, "origin": _CODE, "reason": _CODE, "lift_reason": _CODE},
    "accounts.tradingaccount": {"group": _GROUP},
    "accounts.historicaltradingaccount": {"group": _GROUP, **_HISTORY},
    # Named by reference, login or currency; what a run is made of stands as it was signed.
    "reconciliation.clientmoneyline": {"part": _CODE, "what": "a reference, login or currency", "source": _CODE},
    "accounts.reservation": {
        "reference": "our own number",
        "state": _CODE,
        "reason": "why money was set aside, in our words",
    },
    "accounts.desiredstate": _DESIRED,
    "accounts.historicaldesiredstate": {**_DESIRED, **_HISTORY},
    "payments.moneyrequest": {
        "reference": "our own number of a payment",
        "kind": _CODE,
        "state": _CODE,
        "method": _CODE,
        "rate_source": "where a rate was published",
        "psp_reference": "the provider's number of a payment",
        "reason": _CODE,
    },
    "payments.requestevent": {
        "actor": "a member of staff or a job",
        "before": _CODE,
        "after": _CODE,
        "public": "one of a list of sentences",
        "data": "numbers of rows and checks in our words, none of which names anybody",
    },
    "payments.payout": {
        "way": _CODE,
        "state": _CODE,
        "reference": "our own number of a payment",
        "original_reference": "the provider's number of a payment",
        "provider_reference": "the provider's number of a payment",
        "file_reference": "our own name of a file",
        "error": "why a provider did not pay, in its words for it",
    },
    "payments.evidence": {"fact_kind": _CODE},
    "payments.chargebackcase": {
        **dict.fromkeys(("dispute_reference", "psp_reference"), "the provider's number of a payment or dispute"),
        "our_reference": "our own number of a payment",
        "reason_code": _CODE,
        "reason_text": "the scheme's words for the reason",
        "method": _CODE,
        "mid": "our own account at a provider",
        "state": _CODE,
    },
    "payments.caseevent": {
        **dict.fromkeys(("kind", "source", "before", "after", "currency"), _CODE),
        "actor": "a member of staff or a job",
        "said": "the scheme's words for the reason, or what a provider calls the event",
    },
    "payments.caseposting": {"kind": _CODE},
    "payments.fraudalert": {
        **dict.fromkeys(("kind", "state", "outcome"), _CODE),
        "subject": "the number of a row of ours",
        "evidence": "references and numbers of ours",
    },
    "payments.fraudevent": {"actor": "a member of staff or a job", "what": "one of a list of words, or a colleague"},
    "payments.paymentfileline": {"end_to_end_id": "our own number of a payment"},
    "payments.linestatus": {"status": _CODE, "reasons": _CODE},
    "payments.payee": {
        "kind": _CODE,
        "fingerprint": "a digest under the installation's key: it finds shared accounts and reads as nothing",
        "state": _CODE,
    },
}


class UnderKey(models.Model):
    """Rows with values under their client's key: name of the value -> what `personal.hide` made of it.

    selectors/kept.py reveals them, many rows at once; PostgreSQL takes nothing else into the column
    (sql/personal.sql).
    """

    under_key = models.JSONField(default=dict, editable=False)
    revealed: Mapping[str, str] | None = None

    class Meta:
        abstract = True


class Kept:
    """Reads one value of `under_key` from a revealed row."""

    name: str

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, row: None, owner: Any = None) -> Kept: ...
    @overload
    def __get__(self, row: UnderKey, owner: Any = None) -> str: ...
    def __get__(self, row: UnderKey | None, owner: Any = None) -> Kept | str:
        if row is None:
            return self
        if row.revealed is None:
            return UNREAD if self.name in row.under_key else ""
        return row.revealed.get(self.name, "")

    def __set__(self, row: UnderKey, value: object) -> None:
        raise AttributeError(f"{self.name} is kept under the client's key: write it with services.kept.keep")


class ClientPast(UnderKey):
    """What a row of a client's history keeps under the client's key instead of columns."""

    name = Kept()
    email = Kept()

    class Meta:
        abstract = True
