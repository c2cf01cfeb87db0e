"""What the actions on clients ask for. Reasons are codes; words go to those who decide, or into notes."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from accounts.models import Client, ClientCategory, Document, FlagKind, KycResult, RestrictionKind, TradingAccount
from accounts.models.flags import RULES
from accounts.models.reasons import TO_FORCE, TO_LIFT, TO_PROTECT
from accounts.services import protective
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui.fields import DayField

_WORDS = forms.Textarea(attrs={"rows": 3})
_SEEN = "Everybody who may see the request reads this: nothing confidential."
_TRADING = {
    protective.UNCHANGED: "stays as it is",
    protective.CLOSE_ONLY: "close only",
    protective.TRADING_OFF: "off",
}


def _trading(*modes: str) -> forms.ChoiceField:
    return forms.ChoiceField(label="Trading", choices=[(mode, _TRADING[mode]) for mode in modes])


def _why(choices: list[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label="Reason", choices=[("", "Choose one"), *choices])


def _asked() -> forms.CharField:
    return forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)


def end_of(day: Any) -> datetime | None:
    """The last second of a day in UTC."""
    return datetime.combine(day, time(23, 59, 59), UTC) if day else None


class ReviewForm(forms.Form):
    code = _why(TO_PROTECT)
    trading = _trading(protective.UNCHANGED, protective.CLOSE_ONLY)


class SuspendForm(forms.Form):
    code = _why(TO_PROTECT)
    trading = _trading(protective.TRADING_OFF, protective.CLOSE_ONLY)


class ReasonForm(forms.Form):
    code = _why(TO_PROTECT)


class RestrictForm(forms.Form):
    kind = forms.ChoiceField(label="Restriction", choices=[("", "Choose one"), *RestrictionKind.choices])
    account = forms.ModelChoiceField(TradingAccount.objects.none(), label="Login", required=False)
    code = _why(TO_PROTECT)
    until = DayField(label="Ends by itself after", required=False)

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = client.trading_accounts.all()
        field.empty_label = "All logins"


class AskProtectForm(forms.Form):
    what = forms.ChoiceField(
        label="What", choices=[("REVIEW", "put under review"), ("SUSPEND", "suspend"), *RestrictionKind.choices]
    )
    code = _why(TO_PROTECT)
    reason = _asked()


class AskForm(forms.Form):
    code = _why(TO_LIFT)
    reason = _asked()


WHAT_ERASING_DOES = (
    "When another person of compliance has agreed, name and e-mail become “[erased]”, and nobody can read notes,"
    " papers, references of identity checks and the history of this client any more.",
    "It cannot be undone. Bookings, deals, status and the log of who did what stay under the client's number.",
)


class AskEraseForm(forms.Form):
    reason = forms.CharField(
        label="In words", widget=_WORDS, help_text="It stays for ever: write nothing about the person."
    )


class ConfirmForm(forms.Form):
    day = DayField(label="Look at it again on")


class TermsForm(forms.Form):
    group = forms.CharField(max_length=64)
    leverage = forms.IntegerField(min_value=1, max_value=1000, help_text="30 means 1:30.")
    reason = _asked()


class MarkForm(forms.Form):
    reason = _asked()


class ForceForm(forms.Form):
    code = _why(TO_FORCE)


class CategoryForm(forms.Form):
    category = forms.ChoiceField(choices=[("", "Choose one"), *ClientCategory.choices])
    reason = _asked()


class ApplicationForm(forms.Form):
    step = forms.ChoiceField(
        choices=[
            ("", "Choose one"),
            ("CHECK", "begin the identity check"),
            ("COMPLETE", "papers are complete"),
            ("WITHDRAW", "applicant withdraws"),
        ]
    )


class DecideForm(forms.Form):
    decision = forms.ChoiceField(choices=[("", "Choose one"), ("ACCEPT", "accept"), ("REJECT", "turn down")])
    code = _why([*TO_LIFT, *TO_PROTECT])
    reason = _asked()


class FlagForm(forms.Form):
    kind = forms.ChoiceField(label="Flag")
    note = forms.CharField(widget=_WORDS, required=False, help_text="Read only by those who may see this kind of flag.")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        mine = [kind for kind in FlagKind if RULES[kind].put and scope.may(user, RULES[kind].put)]
        field.choices = [("", "Choose one"), *((kind.value, kind.label) for kind in mine)]


class EndFlagForm(forms.Form):
    note = forms.CharField(
        label="What was found",
        widget=_WORDS,
        help_text="Kept as a confidential note; the request itself says nothing of it.",
    )


class ConsentForm(forms.Form):
    what = forms.ChoiceField(
        choices=[
            ("", "Choose one"),
            ("ASKED", "consent asked for"),
            ("GRANTED", "consent given"),
            ("REFUSED", "consent refused"),
        ]
    )
    day = DayField(label="Day of the letter")


class NoteForm(forms.Form):
    text = forms.CharField(label="Note", widget=_WORDS, max_length=4000, help_text="It stays as it is written.")
    confidential = forms.BooleanField(required=False, label="For compliance only")

    def __init__(self, *args: Any, confidential: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not confidential:
            del self.fields["confidential"]


class DocumentForm(forms.Form):
    kind = forms.ChoiceField(choices=[("", "Choose one"), *Document.Kind.choices])
    name = forms.CharField(max_length=120)
    sha256 = forms.RegexField(r"^[0-9a-f]{64}$", label="SHA-256", required=False, help_text="64 hex digits.")
    expires = DayField(label="Holds until", required=False)


class KycForm(forms.Form):
    provider = forms.CharField(max_length=60)
    reference = forms.CharField(max_length=60, required=False)
    outcome = forms.ChoiceField(choices=[("", "Choose one"), *KycResult.Outcome.choices])
    risk = forms.ChoiceField(choices=[("", "Choose one"), *KycResult.Risk.choices])
    is_pep = forms.BooleanField(required=False, label="Politically exposed")
    is_company = forms.BooleanField(required=False, label="Company")
    next_review = DayField(label="Next review", required=False)
