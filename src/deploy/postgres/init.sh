#!/bin/sh
# Runs once, when PostgreSQL makes its data directory: the event store's database with its owner, and a database of tenants' data with a
# role that may only read. In real life the second is there already, and often elsewhere.
set -eu
secrets=${SECRETS:-/run/postgres-secrets}

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set owner="$(cat "$secrets/carnet")" --set reader="$(cat "$secrets/carnet_reader")" <<'SQL'
CREATE ROLE carnet LOGIN PASSWORD :'owner';
CREATE DATABASE carnet OWNER carnet;
REVOKE ALL ON DATABASE carnet FROM PUBLIC;
CREATE ROLE carnet_reader LOGIN PASSWORD :'reader' CONNECTION LIMIT 32;
ALTER ROLE carnet_reader SET default_transaction_read_only = on;
CREATE DATABASE crm;
REVOKE ALL ON DATABASE crm FROM PUBLIC;
GRANT CONNECT ON DATABASE crm TO carnet_reader;
\connect crm
CREATE TABLE users (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id    text NOT NULL,
    display_name text NOT NULL,
    email        text,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX users_by_tenant ON users (tenant_id, id);
INSERT INTO users (tenant_id, display_name, email)
    SELECT tenant, 'Person ' || number, 'person' || number || '@example.org'
    FROM unnest(ARRAY['acme', 'globex']) AS tenant, generate_series(1, 1000) AS number;
GRANT USAGE ON SCHEMA public TO carnet_reader;
GRANT SELECT ON users TO carnet_reader;
SQL
