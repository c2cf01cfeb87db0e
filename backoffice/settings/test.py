"""Tests: fast password hashing, mail in memory. The database is the real one, with the real roles."""

import base64
import hashlib
import os
import tempfile
from pathlib import Path

from backoffice.settings import env
from backoffice.settings.base import *  # noqa: F403

# A key for tests, and a folder per process: a chain outside belongs to one database. Processes that a test starts on
# its own database are told its folder.
SEAL_KEY = base64.b64encode(hashlib.sha256(b"tests").digest()).decode()
SEAL_HEADS = env.folder("BACKOFFICE_SEAL_HEADS", Path(tempfile.gettempdir()) / f"backoffice-test-heads-{os.getpid()}")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Tests that are about the second factor switch it on.
STEP_UP = False
