from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "backoffice.outbox"
    label = "outbox"

    def ready(self) -> None:
        from backoffice.outbox import mail, registry

        registry.register("mail", mail.MailSender())
