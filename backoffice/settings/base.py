"""What every environment shares. dev, test and prod only override; nothing exists in production alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from backoffice.settings import env

BASE = Path(__file__).resolve().parent.parent.parent
# Uploaded files in transit, mail of the demo, the schema pack: never the only copy of anything.
STATE_DIR = env.folder("BACKOFFICE_STATE", BASE / "var")

SECRET_KEY = env.text("BACKOFFICE_SECRET_KEY")
# Fernet keys for secrets kept in the database, newest first; older ones still decrypt.
FIELD_KEYS = env.names("BACKOFFICE_FIELD_KEYS")
# Seals of the audit log (backoffice/audit/signing.py): the private key is the sealer's alone.
SEAL_KEY = env.text("BACKOFFICE_SEAL_KEY", "")
SEAL_KEY_FILE = env.text("BACKOFFICE_SEAL_KEY_FILE", "")
SEAL_PUBLIC_KEYS = env.names("BACKOFFICE_SEAL_PUBLIC_KEYS")
SEAL_HEADS = env.folder("BACKOFFICE_SEAL_HEADS", STATE_DIR / "heads")
SEAL_TARGETS = env.names("BACKOFFICE_SEAL_TARGETS", "backoffice.audit.heads.FileTarget")
DEBUG = False
ALLOWED_HOSTS = env.names("BACKOFFICE_ALLOWED_HOSTS", "127.0.0.1,localhost")

DATABASES = {"default": env.database("DATABASE_URL")}
# Grants name this role: everything but migrations runs as it.
DATABASE_APP_ROLE = env.text("DATABASE_APP_ROLE", "backoffice_app")
REDIS_URL = env.text("REDIS_URL")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "guardian",
    "simple_history",
    "django_filters",
    "django_htmx",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "axes",
    "backoffice.organisation",
    "backoffice.audit",
    "backoffice.outbox",
    "backoffice.ui",
    "backoffice.approvals",
    "backoffice.access",
    "backoffice.signin",
    "ledger",
    "integrations",
    "accounts",
    "payments",
    "reconciliation",
    "reporting",
    "backoffice",
]

MIDDLEWARE = [
    "backoffice.signin.middleware.Headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "backoffice.ui.middleware.RequestContext",
    "backoffice.signin.middleware.Gate",
    "backoffice.signin.middleware.Looking",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backoffice.ui.context.navigation",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]

AUTH_USER_MODEL = "organisation.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # guardian would otherwise keep a login-less user row
GUARDIAN_RAISE_403 = True
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "backoffice.signin.validators.NotDressedUp"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "today"
LOGOUT_REDIRECT_URL = "sign-in"
# Seconds: the greatest age of a session, and how long it lives without the person doing anything.
SESSION_COOKIE_AGE = 10 * 60 * 60
SESSION_IDLE_SECONDS = 60 * int(env.text("BACKOFFICE_IDLE_MINUTES", "15"))
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
# How many proxies of ours stand in front: so many entries of X-Forwarded-For are believed.
TRUSTED_PROXIES = int(env.text("BACKOFFICE_TRUSTED_PROXIES", "0"))
OTP_TOTP_ISSUER = "Back office"
OTP_TOTP_SYNC = False  # a device's clock is not followed: an attacker could walk it away

# Wrong passwords: counted in PostgreSQL, by account and by address (backoffice/signin/lockout.py).
AXES_HANDLER = "backoffice.signin.lockout.Handler"
AXES_LOCKOUT_CALLABLE = "backoffice.signin.lockout.answer"
AXES_CLIENT_IP_CALLABLE = "backoffice.ui.requests.ip_of"
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # our own sessions and audit entries say it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
CSRF_FAILURE_VIEW = "backoffice.ui.errors.csrf_failure"

# An approval takes a second factor given within the last five minutes.
STEP_UP = True

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
# Never the browser's or server's habit: one way to write a date and a number on every page and file.
DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = "Y-m-d H:i:s"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE / "static"]
STATIC_ROOT = BASE / "static-collected"
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# The largest file an import takes (bytes); a bank's 130 MB statement must pass.
IMPORT_SIZE_LIMIT = 200 * 1024 * 1024
# The folder with the official schemas (XSD) that inbound messages are held against; empty: none.
SCHEMAS = env.text("BACKOFFICE_SCHEMAS", "")

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = str(STATE_DIR / "mail")
DEFAULT_FROM_EMAIL = "backoffice@localhost"
# What stands before the path of a link in a mail.
SITE_URL = env.text("BACKOFFICE_SITE_URL", "http://127.0.0.1:8000")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Celery: at least once and never trusted. Every task may run 0, 1 or 3 times; the rows decide.
CELERY: dict[str, Any] = {
    "broker_url": REDIS_URL,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {
        "visibility_timeout": 900,
        "health_check_interval": 30,
        "socket_keepalive": True,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
    },
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_soft_time_limit": 600,
    "task_time_limit": 660,
    "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0.1, "interval_max": 0.3},
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": True,
    "worker_soft_shutdown_timeout": 20,
    "worker_hijack_root_logger": False,
    "timezone": "UTC",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("BACKOFFICE_LOG_LEVEL", "INFO")},
    "loggers": {
        "fontTools": {"level": "ERROR"},
        "weasyprint": {"level": "ERROR"},
        "celery.app.trace": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
