"""The project itself as a Django app: the last to start, so it may know everybody."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps


class BackofficeConfig(AppConfig):
    name = "backoffice"
    label = "project"

    def ready(self) -> None:
        from backoffice import exports
        from backoffice.ui import hooks

        hooks.record_exports(exports.record)
        import_module("backoffice.celery")
        for config in apps.get_app_configs():
            if find_spec(f"{config.name}.tasks") is not None:
                import_module(f"{config.name}.tasks")
