#!/bin/sh
# Makes a database of tenants' data, once.
set -eu
file=${1:-/var/lib/carnet-source/crm.db}
[ -e "$file" ] && exit 0
command -v sqlite3 >/dev/null || { apt-get update -qq && apt-get install -qq --yes --no-install-recommends sqlite3 >/dev/null; }
sqlite3 "$file.new" <<'SQL'
CREATE TABLE users (id INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, display_name TEXT NOT NULL, email TEXT);
CREATE INDEX users_by_tenant ON users (tenant_id, id);
WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1000)
INSERT INTO users (tenant_id, display_name, email)
    SELECT tenant.column1, 'Person ' || number, 'person' || number || '@example.org'
    FROM (VALUES ('acme'), ('globex')) AS tenant, numbers;
SQL
mv "$file.new" "$file"
