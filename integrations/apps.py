from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        from backoffice.ui.navigation import Item, register
        from integrations import actions

        actions.register()
        register(
            Item("Sources", "Imports", "imports", "integrations.view_fileimport", 50, "i"),
            Item("Sources", "Connections", "connections", "integrations.view_connection", 51, "o"),
        )
