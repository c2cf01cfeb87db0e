from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        from backoffice.audit import streams
        from backoffice.outbox import registry as outbox
        from backoffice.ui.navigation import Item, register
        from integrations import actions
        from integrations.selectors import sealed
        from integrations.services import commands

        actions.register()
        streams.register("integrations.raw", sealed.RAW_MESSAGES)
        outbox.register(commands.KIND, commands.UserSender())
        register(
            Item("Sources", "Imports", "imports", "integrations.view_fileimport", 50, "i"),
            Item("Sources", "Connections", "connections", "integrations.view_connection", 51, "o"),
            Item("Sources", "Server commands", "server-commands", "integrations.view_servercommand", 52, "v"),
        )
