from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "backoffice.audit"
    label = "audit"

    def ready(self) -> None:
        from backoffice.audit import streams
        from backoffice.ui.navigation import Item, register

        streams.register("audit.entries", streams.ENTRIES)
        streams.register("audit.changes", streams.CHANGES)
        register(
            Item("Audit", "Audit log", "audit-log", "audit.view_entry", 90, "z"),
            Item("Audit", "Changes in tables", "audit-changes", "audit.view_change", 91),
            Item("Audit", "Verification", "audit-checks", "audit.view_check", 92),
            Item("Audit", "Technical log", "audit-technical", "audit.view_technical_entry", 93),
            Item("Audit", "What I did", "audit-mine", "audit.view_own_entry", 94),
        )
