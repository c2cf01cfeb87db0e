#!/usr/bin/env python3
"""Django's command line. `python3 bo manage COMMAND` starts the servers first and then calls this."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.dev")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
