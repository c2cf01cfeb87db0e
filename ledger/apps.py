from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    # What the application's database role may call; everything else about lines is closed to it.
    app_functions = ("ledger_post", "ledger_post_one", "ledger_open_month", "ledger_closed_through")

    def ready(self) -> None:
        from backoffice.audit import streams
        from backoffice.ui.navigation import Item, register
        from ledger import actions
        from ledger.selectors import sealed

        actions.register()
        streams.register("ledger.journals", sealed.JOURNALS)
        register(
            Item("Books", "Journals", "journals", "ledger.view_journal", 60, "j"),
            Item("Books", "Close", "close", "ledger.view_journal", 62),
            Item("Books", "Rates", "fx-rates", "organisation.view_fxrate", 63),
            Item("Books", "Ledger accounts", "ledger-accounts", "ledger.view_ledgeraccount", 61, "l"),
        )
