"""The door for gunicorn. Imports the Celery app too, so that wake-ups leave by the configured broker."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.prod")

from django.core.wsgi import get_wsgi_application

from backoffice import celery as _celery  # noqa: F401

application = get_wsgi_application()
