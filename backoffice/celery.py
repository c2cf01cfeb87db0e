"""The Celery app: the rooms' tasks (imported when Django starts, backoffice/apps.py) and the schedule."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.prod")

from django.conf import settings

from backoffice.schedule import SCHEDULE

app = Celery("backoffice")
app.conf.update(settings.CELERY)
app.conf.beat_schedule = SCHEDULE
app.set_default()
