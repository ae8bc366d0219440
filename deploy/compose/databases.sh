#!/bin/bash
# Runs once, when the volume of Postgres is empty: one role and one database for each who keeps something there. Temporal's two
# databases are made by its own schema job, whose role may therefore create databases. recoup owns the tables and migrates; recoup_app, to
# which migrate gives its rights, is all other processes of Recoup.
set -euo pipefail
psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
  -v recoup="$RECOUP_PASSWORD" -v app="$RECOUP_APP_PASSWORD" -v temporal="$TEMPORAL_PASSWORD" -v simulator="$SIMULATOR_PASSWORD" <<'SQL'
create role recoup login password :'recoup';
create database recoup owner recoup;
create role recoup_app login password :'app';
create role temporal login createdb password :'temporal';
create role simulator login password :'simulator';
create database simulator owner simulator;
SQL
