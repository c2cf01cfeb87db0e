from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        from accounts.selectors import desks
        from backoffice.organisation.selectors import scope
        from backoffice.outbox import registry as outbox
        from integrations import registry
        from ledger import registry as closing_list
        from payments.actions import chargebacks as chargeback_actions
        from payments.actions import files as file_actions
        from payments.actions import fraud as fraud_actions
        from payments.actions import inside as inside_actions
        from payments.actions import outside as outside_actions
        from payments.selectors import cases, closing, disputed
        from payments.services import deposits, inside, payouts, sending
        from payments.services.mails import KIND, ClientMailSender

        file_actions.register()
        closing_list.on_day(closing.of_day)
        closing_list.on_period(closing.of_period)
        inside_actions.register()
        outside_actions.register()
        chargeback_actions.register()
        fraud_actions.register()
        disputed.register(open_cases=cases.open_cases, charged_back=cases.charged_back)
        for model in self.get_models():
            path = desks.path_of(model)
            if path:
                scope.by_desk(model, path)
        outbox.register(KIND, ClientMailSender())
        registry.on_operated(inside.on_operated)
        registry.on_operated(sending.on_operated)
        registry.on_operated(deposits.on_operated)
        registry.on_paid(payouts.on_paid)
        registry.wake_on_webhooks("payments.read_events")
        registry.wake_on_webhooks("payments.read_disputes")
        self._pages()

    def _pages(self) -> None:
        from backoffice.ui import panels
        from backoffice.ui.navigation import Item, register
        from payments.selectors import alerts, cases, lists
        from payments.views import client, linked

        panels.add("client", client.panel)
        for route, provider in linked.providers().items():
            panels.add(route, provider)
        view = "payments.view_moneyrequest"
        register(
            Item("Payments", "Withdrawals", "withdrawals", view, 27, "m", lists.new_withdrawals),
            Item("Payments", "To pay", "to-pay", "payments.send_payout", 27, counter=lists.to_pay),
            Item("Payments", "In doubt", "in-doubt", view, 28, counter=lists.in_doubt),
            Item("Payments", "Deposits", "deposits", view, 28, "e"),
            Item("Payments", "Receipts to allocate", "receipts", "payments.ask_deposit", 29),
            Item("Payments", "Chargebacks", "chargebacks", cases.VIEW, 29, counter=cases.due_count),
            Item("Payments", "Payment files", "payment-files", "payments.view_paymentfile", 29),
            Item("Payments", "Accounts to pay from", "own-banks", "payments.view_ownbank", 29),
            Item("Payments", "Fraud alerts", "fraud-alerts", alerts.VIEW, 29, counter=alerts.waiting),
            Item("Payments", "Payees", "payees", "payments.view_payee", 29, "s"),
            Item("Payments", "Desk rules", "payment-rules", "payments.view_paymentrule", 29),
            Item("Payments", "Fraud rules", "fraud-rules", "payments.view_fraudrule", 29),
        )
