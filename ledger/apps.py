from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    # What the application's database role may call; everything else about lines is closed to it.
    app_functions = ("ledger_post", "ledger_post_one", "ledger_open_month", "ledger_closed_through")

    def ready(self) -> None:
        from backoffice.ui.navigation import Item, register
        from ledger import actions

        actions.register()
        register(
            Item("Books", "Journals", "journals", "ledger.view_journal", 60, "j"),
            Item("Books", "Ledger accounts", "ledger-accounts", "ledger.view_ledgeraccount", 61, "l"),
        )
