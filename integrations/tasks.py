"""Celery doors of the outside world."""

from __future__ import annotations

from celery import shared_task

from backoffice.kernel.actor import System
from integrations.selectors import feeds as feed_selectors
from integrations.services import feeds, imports, payouts


@shared_task(name="integrations.pull_all")
def pull_all(**_: object) -> None:
    for connection_id in feed_selectors.servers_to_pull():
        pull.delay(connection_id=connection_id)


@shared_task(name="integrations.pull", soft_time_limit=120, time_limit=150)
def pull(connection_id: int, **_: object) -> None:
    feeds.pull(actor=System("feed"), connection_id=connection_id)


@shared_task(name="integrations.pull_all_users")
def pull_all_users(**_: object) -> None:
    for connection_id in feed_selectors.servers_to_pull():
        pull_users.delay(connection_id=connection_id)


@shared_task(name="integrations.pull_users", soft_time_limit=900, time_limit=930)
def pull_users(connection_id: int, **_: object) -> None:
    feeds.pull_users(actor=System("feed"), connection_id=connection_id)


@shared_task(name="integrations.examine")
def examine(import_id: int, **_: object) -> None:
    imports.examine(actor=System("import"), import_id=import_id)


@shared_task(name="integrations.sweep")
def sweep(**_: object) -> None:
    imports.sweep()


@shared_task(name=payouts.FOLLOW, soft_time_limit=240, time_limit=270)
def follow_payouts(**_: object) -> None:
    payouts.follow_due()
