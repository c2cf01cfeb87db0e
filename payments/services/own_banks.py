"""How an account of the house is written into payment files: another version, behind four eyes."""

from __future__ import annotations

import re

from django.db import transaction
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from payments.models.files import Charges, OwnBank
from payments.selectors import files


class BadBank(DomainError):
    """An account that no payment file could be written for."""


@transaction.atomic
def change(
    *,
    actor: Actor,
    account_id: int,
    holder: str,
    iban: str,
    number: str,
    bic: str,
    clearing_system: str,
    clearing_member: str,
    street: str,
    town: str,
    country: str,
    charges: str,
    request_id: int | None = None,
) -> OwnBank | None:
    """A new version from now on. `request_id` is the approved request; without it this is the rehearsal."""
    account = files.bank_accounts().filter(pk=account_id).first()
    if account is None:
        raise BadBank("Choose an account at a bank that is in the books: the first line of its statement opens it.")
    checked, code = _checked(iban, bic)
    if bool(checked) == bool(number.strip()):
        raise BadBank("Give the IBAN, or the account number where there is none; not both.")
    if not code and not clearing_member.strip():
        raise BadBank("Name the bank: by its BIC, or by its number in a clearing system (sort code, ABA).")
    if not holder.strip() or not town.strip() or not re.fullmatch(r"[A-Z]{2}", country.strip().upper()):
        raise BadBank("Give holder, town and the country as two letters.")
    if charges not in Charges.values:
        raise BadBank("Choose who pays the charges.")
    if request_id is None:
        return None
    row = OwnBank.objects.create(
        entity_id=account.entity_id,
        account=account,
        currency_id=account.currency_id,
        holder=holder.strip(),
        iban=checked,
        number=number.strip(),
        bic=code,
        clearing_system=clearing_system.strip().upper(),
        clearing_member=clearing_member.strip(),
        street=street.strip(),
        town=town.strip(),
        country=country.strip().upper(),
        charges=charges,
        at=clock.now(),
        request_id=request_id,
    )
    audit.record(actor=actor, action="payments.own_bank_changed", target=row, data={"account": account.code})
    return row


def _checked(iban: str, bic: str) -> tuple[str, str]:
    """IBAN and BIC in their plain spelling, each empty where it was not given."""
    try:
        plain_iban, plain_bic = re.sub(r"\s", "", iban).upper(), bic.strip().upper()
        return str(IBAN(plain_iban)) if plain_iban else "", str(BIC(plain_bic)) if plain_bic else ""
    except SchwiftyException as error:
        raise BadBank(f"IBAN or BIC: {error}. Compare it with the papers of the bank.") from error
