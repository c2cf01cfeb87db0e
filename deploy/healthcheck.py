"""Container check of the web service: asks /healthz under the first allowed host name, as the proxy would."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    host = os.environ["BACKOFFICE_ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".")
    link = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=8)
    try:
        link.request("GET", "/healthz", headers={"Host": host})
        return 0 if link.getresponse().status == http.client.OK else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
