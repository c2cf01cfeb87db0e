"""Settings of the webhook benchmark: the usual ones, with an empty view beside the product's pages."""

from backoffice.settings.test import *  # noqa: F403

ROOT_URLCONF = "benchmarks.webhook_urls"
ALLOWED_HOSTS = ["127.0.0.1"]
