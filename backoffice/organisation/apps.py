from django.apps import AppConfig


class OrganisationConfig(AppConfig):
    name = "backoffice.organisation"
    label = "organisation"
