from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"

    def ready(self) -> None:
        from backoffice.ui.navigation import Item, register
        from reconciliation import actions
        from reconciliation.selectors.open_breaks import open_for

        actions.register()
        register(
            Item("Work", "Breaks", "breaks", "reconciliation.view_break", 10, "k", open_for),
            Item("Work", "Runs", "runs", "reconciliation.view_run", 11, "r"),
        )
