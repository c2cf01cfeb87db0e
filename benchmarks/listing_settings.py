"""Settings of the list benchmark: the usual ones, with the reference installed beside the product."""

from backoffice.settings.test import *  # noqa: F403
from backoffice.settings.test import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_tables2"]
ROOT_URLCONF = "benchmarks.listing_urls"
ALLOWED_HOSTS = ["testserver"]
