#!/bin/sh
# Tables, rights of the application's role, staff roles: as the owner, before the new version's web and workers start.
set -eu
python manage.py migrate --no-input
python manage.py protect
python manage.py load_roles
