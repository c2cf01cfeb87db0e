from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    app_functions = ("reconciliation_fact_amounts",)

    def ready(self) -> None:
        from backoffice.ui.navigation import Item, register
        from ledger import registry as closing_list
        from reconciliation.actions import breaks as actions
        from reconciliation.actions import client_money, rules
        from reconciliation.selectors import closing
        from reconciliation.selectors.open_breaks import open_for

        actions.register()
        closing_list.on_day(closing.of_day)
        closing_list.on_period(closing.of_period)
        client_money.register()
        rules.register()
        register(
            Item("Work", "Breaks", "breaks", "reconciliation.view_break", 10, "k", open_for),
            Item("Work", "Runs", "runs", "reconciliation.view_run", 11, "r"),
            Item("Work", "Suggested matches", "suggestions", "reconciliation.view_suggestion", 11),
            Item("Work", "Matches", "matches", "reconciliation.view_cashmatch", 11),
            Item("Work", "Settlements", "settlements", "integrations.view_pspline", 13),
            Item("Work", "Reconciliation rules", "reconciliation-rules", "reconciliation.view_run", 13),
            Item("Work", "Client money", "client-money", "reconciliation.view_clientmoneyrun", 12),
        )
