#!/bin/sh
# Run once by the postgres image, when the data folder is made: two roles and the database.
# The owner changes tables (service `migrate`); the application's role gets its rights from `manage protect`.
set -eu
: "${BACKOFFICE_OWNER_PASSWORD:?}" "${BACKOFFICE_APP_PASSWORD:?}"
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv owner_password BACKOFFICE_OWNER_PASSWORD
\getenv app_password BACKOFFICE_APP_PASSWORD
CREATE ROLE backoffice_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE backoffice_app LOGIN PASSWORD :'app_password';
CREATE DATABASE backoffice OWNER backoffice_owner;
REVOKE ALL ON DATABASE backoffice FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE backoffice TO backoffice_app;
SQL
