from backoffice.access.admin import devices, users
from backoffice.access.admin.site import site

__all__ = ["devices", "site", "users"]
