from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    # Called by the constraints of rows that hold personal values; it only looks at what it is given.
    app_functions = ("accounts_is_under_key",)

    def ready(self) -> None:
        from accounts import actions
        from accounts.selectors import closing, desks, named, unseen
        from accounts.services import desired, kept, mail
        from backoffice.approvals import registry as approvals
        from backoffice.outbox import registry as outbox
        from backoffice.ui.navigation import Item, register
        from integrations import registry
        from ledger import registry as closing_list

        actions.register()
        closing_list.on_day(closing.of_day)
        desks.register()
        unseen.register()
        approvals.name_clients(named.named)
        kept.keep_history()
        outbox.register(mail.KIND, mail.ClientMailSender())
        registry.on_confirmed(desired.on_confirmed)
        register(
            Item("Clients", "Clients", "clients", "accounts.view_client", 30, "c"),
            Item("Clients", "Trading accounts", "trading-accounts", "accounts.view_tradingaccount", 31, "t"),
            Item("Clients", "Reviews due", "reviews-due", "accounts.confirm_restriction", 32),
            Item("Clients", "Holds", "holds", "accounts.see_aml_hold", 33),
            Item("Facts", "Deals", "deals", "integrations.view_deal", 40, "d"),
            Item("Facts", "LP fills", "fills", "integrations.view_fill", 41, "f"),
            Item("Facts", "PSP lines", "psp-lines", "integrations.view_pspline", 42, "p"),
            Item("Facts", "Bank lines", "bank-lines", "integrations.view_bankline", 43, "b"),
            Item("Facts", "Unbooked", "unbooked", "accounts.view_unbooked", 44, "u"),
        )
