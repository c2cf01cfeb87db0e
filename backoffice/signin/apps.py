from django.apps import AppConfig


class SigninConfig(AppConfig):
    name = "backoffice.signin"
    label = "signin"

    def ready(self) -> None:
        from backoffice.organisation.services import sessions as door
        from backoffice.outbox import registry as outbox
        from backoffice.signin import actions, mail, signals
        from backoffice.signin.services import passwords, sessions
        from backoffice.ui.navigation import Item, register

        signals.connect()
        actions.register_all()
        door.ended_by(sessions.end_after_change)
        outbox.register(passwords.LINK_KIND, mail.LinkSender())
        register(Item("Administration", "Sign-in", "people-sign-in", "signin.view_session", 900))
