"""The door for gunicorn."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.prod")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
