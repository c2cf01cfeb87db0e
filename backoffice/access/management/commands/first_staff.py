"""`manage first_staff sam --role SYS --entity CY --email sam@broker.example`: the first people of an installation.

Somebody has to be there before anybody can ask and approve. This works until `manage end_setup`; whoever may run
commands on the server could do more than this, which is why it leaves an audit row and ends for good.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from backoffice.access.services import grants, people
from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.errors import NotFound
from backoffice.organisation.duties import CODES
from backoffice.organisation.models import LegalEntity, User


class Command(Base):
    help = "Make one of the first people of an installation and give them a role, before the set-up ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=CODES)
        parser.add_argument("--entity", action="append", default=[], help="code of a legal entity; may be repeated")
        parser.add_argument("--email", default="")

    @transaction.atomic
    def answer(self, **options: Any) -> dict[str, Any]:
        actor = System("manage first_staff")
        entities = list(LegalEntity.objects.filter(code__in=options["entity"]).order_by("pk"))
        if len(entities) != len(set(options["entity"])):
            raise NotFound("One of the legal entities does not exist. Check the codes.")
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            user = people.create(actor=actor, username=options["username"], values={"email": options["email"]})
        given = grants.set_up(actor=actor, user=user, role=options["role"], entities=[here.pk for here in entities])
        return {"user": user.username, "role": given.role, "entities": [here.code for here in entities]}

    def sentences(self, result: dict[str, Any]) -> list[str]:
        where = ", ".join(result["entities"]) or "no entity"
        return [
            f"{result['user']} is {result['role']} in {where}.",
            f"Set a password with `manage changepassword {result['user']}`.",
            "When everybody who asks and approves is there, run `manage end_setup`.",
        ]
