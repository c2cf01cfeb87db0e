"""What other rooms call: `audit.record` for what was done, `audit.read` for what was looked at."""

from backoffice.audit.services.recording import name_of, read, read_once, record

__all__ = ["name_of", "read", "read_once", "record"]
