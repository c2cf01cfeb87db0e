from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "backoffice.approvals"
    label = "approvals"
    # Called by the guards of requests and rules; it only counts.
    app_functions = ("approvals_missing",)

    def ready(self) -> None:
        from backoffice.approvals import actions
        from backoffice.approvals.forms import ask_fields
        from backoffice.approvals.selectors import sight
        from backoffice.approvals.selectors.waiting import unread, waiting_for
        from backoffice.approvals.services import requests
        from backoffice.audit import secrecy
        from backoffice.ui import hooks
        from backoffice.ui.navigation import Item, register

        actions.register()
        secrecy.hide_entries(sight.hidden_entries)
        hooks.gate_with(hooks.Gate(requests.submit, ask_fields))
        register(
            Item("Work", "Approvals", "to-decide", "approvals.view_request", 20, "a", waiting_for),
            Item("Work", "Notices", "notices", "approvals.view_request", 21, "n", unread),
            Item("Administration", "Approval rules", "policies", "approvals.view_policy", 810),
        )
