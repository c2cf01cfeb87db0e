from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "backoffice.approvals"
    label = "approvals"

    def ready(self) -> None:
        from backoffice.approvals.selectors.waiting import waiting_for
        from backoffice.approvals.services import requests
        from backoffice.ui import hooks
        from backoffice.ui.navigation import Item, register

        hooks.gate_with(requests.submit)
        register(Item("Work", "Approvals", "requests", "approvals.view_request", 20, "a", waiting_for))
