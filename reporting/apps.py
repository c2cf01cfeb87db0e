from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"

    def ready(self) -> None:
        from backoffice.ui.navigation import Item, register

        register(
            Item("Work", "Today", "today", "reporting.view_today", 1, "h"),
            Item("Reports", "Daily reconciliation", "daily-report", "reporting.view_reportrun", 70, "y"),
            Item("Reports", "Report runs", "report-runs", "reporting.view_reportrun", 71),
        )
