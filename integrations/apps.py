from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    app_functions = ("integrations_bank_parts", "integrations_webhook_complete", "integrations_webhook_door")

    def ready(self) -> None:
        from backoffice.audit import streams
        from backoffice.outbox import registry as outbox
        from backoffice.ui.navigation import Item, register
        from integrations import actions
        from integrations.selectors import sealed
        from integrations.services import commands, operations, payouts

        actions.register()
        streams.register("integrations.raw", sealed.RAW_MESSAGES)
        streams.register("integrations.webhook", sealed.WEBHOOKS)
        outbox.register(commands.KIND, commands.UserSender())
        outbox.register(operations.KIND, operations.BalanceSender())
        outbox.register(payouts.KIND, payouts.PayoutSender())
        register(
            Item("Sources", "Imports", "imports", "integrations.view_fileimport", 50, "i"),
            Item("Sources", "Connections", "connections", "integrations.view_connection", 51, "o"),
            Item("Sources", "Webhooks", "webhooks", "integrations.view_webhook", 54),
            Item("Sources", "Server commands", "server-commands", "integrations.view_servercommand", 52, "v"),
            Item("Sources", "Server operations", "server-operations", "integrations.view_serveroperation", 53, "q"),
            Item("Sources", "Payouts at PSPs", "psp-payouts", "integrations.view_payoutorder", 55),
        )
