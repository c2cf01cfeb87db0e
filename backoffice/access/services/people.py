"""People of the staff: created without rights, changed by name, deactivated at once."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from backoffice.access.models import Grant, SetupEnd
from backoffice.access.services import grants
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

ADMINISTER = "access.administer"
FIELDS = ("first_name", "last_name", "email", "title")


@transaction.atomic
def create(*, actor: Actor, username: str, values: Mapping[str, str]) -> User:
    """A new person: no role, no place, no password. What they get is asked for afterwards."""
    _permit(actor)
    if User.objects.filter(username__iexact=username).exists():
        raise DomainError("There is already somebody with this user name. Choose another.")
    user = User(username=username, **{name: values.get(name, "") for name in FIELDS})
    user.set_unusable_password()
    user.save()
    audit.record(actor=actor, action="user.created", target=user, data={"username": username})
    return user


@transaction.atomic
def change(*, actor: Person, user_id: int, values: Mapping[str, str]) -> User:
    """Change what a person is called and where mail reaches them; `values` may name nothing else."""
    _permit(actor)
    assert set(values) <= set(FIELDS), f"only {FIELDS} can be changed"
    user = _found(user_id)
    before = {name: getattr(user, name) for name in values}
    changed = {name: [before[name], value] for name, value in values.items() if before[name] != value}
    if changed:
        for name in changed:
            setattr(user, name, values[name])
        user.save(update_fields=list(changed))
        audit.record(actor=actor, action="user.changed", target=user, data={"fields": sorted(changed)})
    return user


@transaction.atomic
def deactivate(*, actor: Person, user_id: int, reason: str) -> User:
    """Shut a person out now: sessions end and every role is taken. It protects, so one person may do it."""
    _permit(actor)
    user = _found(user_id)
    if not user.is_active:
        raise DomainError("This person is already deactivated.")
    if user.pk == actor.user_id:
        raise DomainError("You cannot deactivate yourself. Ask another administrator.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    held = list(user.groups.values_list("name", flat=True))
    open_ = list(Grant.objects.select_for_update().filter(user=user, ended_at=None).order_by("pk"))
    audit.record(actor=actor, action="user.deactivated", target=user, data={"reason": reason, "roles": held})
    grants.end(actor=actor, user=user, grants=open_, roles=held, reason="deactivated")
    return user


@transaction.atomic
def reactivate(*, actor: Person, user_id: int, reason: str) -> User:
    """Let a person sign in again, without any role: those are asked for anew."""
    _permit(actor)
    user = _found(user_id)
    if user.is_active:
        raise DomainError("This person is active.")
    user.is_active = True
    user.save(update_fields=["is_active"])
    audit.record(actor=actor, action="user.reactivated", target=user, data={"reason": reason})
    return user


@transaction.atomic
def end_set_up(*, actor: Actor) -> SetupEnd:
    """From now on, roles need a second person. There is no way back."""
    known = SetupEnd.objects.first()
    if known is not None:
        raise DomainError(f"The set-up ended on {known.at:%Y-%m-%d} by {known.by}.")
    able = [user for user in User.objects.filter(is_active=True) if scope.may(user, "access.approve_grant")]
    asking = [user for user in User.objects.filter(is_active=True) if scope.may(user, "access.ask_grant")]
    if not able or not asking:
        raise DomainError(
            "Before the set-up ends, somebody has to be able to ask for roles (SYS) and somebody else to approve"
            " them (MGT). Make these people first."
        )
    ended = SetupEnd.objects.create(at=clock.now(), by=actor.label)
    audit.record(actor=actor, action="access.set_up_ended", target=ended)
    return ended


def _permit(actor: Actor) -> None:
    if isinstance(actor, Person):
        scope.require(User.objects.get(pk=actor.user_id), ADMINISTER)


def _found(user_id: int) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such person.")
    return user
