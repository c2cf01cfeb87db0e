"""The Celery app: finds every room's tasks.py and runs the list in schedule.py."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.prod")

from django.conf import settings

app = Celery("backoffice")
app.conf.update(settings.CELERY)
app.autodiscover_tasks(lambda: [name for name in settings.INSTALLED_APPS if "contrib" not in name])
app.set_default()


@app.on_after_finalize.connect
def _schedule(sender: Celery, **_: object) -> None:
    from backoffice.schedule import SCHEDULE

    sender.conf.beat_schedule = SCHEDULE
