#!/bin/sh
# Brings Temporal's two databases to the schema of this image's version. Running it again changes nothing.
set -eu
tool() { temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal "$@"; }
for database in temporal temporal_visibility; do
  tool --database "$database" create
  tool --database "$database" setup-schema --version 0.0
  tool --database "$database" update-schema --schema-name "postgresql/v12/${database#temporal_}"
done
