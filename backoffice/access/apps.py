from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "backoffice.access"
    label = "access"
    app_functions = ("access_needs_consent", "access_consent")

    def ready(self) -> None:
        from backoffice.access import actions
        from backoffice.access.selectors import news, rights
        from backoffice.organisation.selectors import scope
        from backoffice.ui.navigation import Item, register

        actions.register_all()
        scope.limit_with(rights.limits)
        register(
            Item("Administration", "Roles and rights", "matrix", "access.view_matrix", 800),
            Item("Administration", "Grants", "grants", "access.view_grant", 801, counter=news.break_glass_in_force),
        )
