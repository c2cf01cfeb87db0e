"""The demo and daily work: plain http on loopback, no cached templates."""

from backoffice.settings.base import *  # noqa: F403

DEBUG = False
