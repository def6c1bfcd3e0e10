//! The statements, with the schema's name in them. None is prepared under a name: behind a pooler that deals out
//! connections by the transaction, the next one would not know it.
//!
//! Whatever is not in the schema is named with `pg_catalog`, and operators get the very types they are made for: the role's
//! search path may hold a schema where others may make functions that fit better. (`unnest` of several arrays is part of
//! the language and can't be named so.)

use tokio_postgres::types::{ToSql, Type};

/// What goes into a statement, with its types: said here, the server needn't be asked for them.
pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The statements of one schema.
#[derive(Debug)]
pub(super) struct Sql {
    /// Begins a transaction: durable, and given up by the server when its client falls silent with the log locked.
    pub(super) begin: &'static str,
    pub(super) lock: String,
    pub(super) heads: String,
    pub(super) found: String,
    pub(super) add_streams: String,
    pub(super) add_events: String,
    pub(super) go_on: String,
    pub(super) add_erasure: String,
    pub(super) remove_events: String,
    pub(super) probe: String,
    pub(super) last: String,
    pub(super) ends: String,
    pub(super) forwards: String,
    pub(super) backwards: String,
    pub(super) scanned: String,
    pub(super) all: String,
    pub(super) some: String,
    pub(super) erased: String,
    pub(super) erased_names: String,
    pub(super) seal: String,
    pub(super) reseal: String,
    pub(super) sealed: String,
    pub(super) seals: String,
    /// Where those who follow listen.
    pub(super) channel: String,
}

/// What is not said here is as the database or the role is set, so all that matters is said. `remote_apply`, where it is
/// set, promises more than `on`; everything else promises less.
///
/// The log is locked by those who are there: a client that falls silent between two statements is given up after 5 s; one
/// that is gone in the midst of one when it acknowledges no probe for 11 s (Unix sockets know none); one that is there but
/// doesn't go on after 30 s, by servers that know such a limit (from release 17).
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL search_path = pg_catalog, pg_temp; \
    SELECT pg_catalog.set_config('synchronous_commit', \
    CASE WHEN pg_catalog.current_setting('synchronous_commit') = 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true), \
    CASE WHEN pg_catalog.current_setting('server_version_num')::integer >= 170000 \
    THEN pg_catalog.set_config('transaction_timeout', '30s', true) END; \
    SET LOCAL lock_timeout = '10s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; \
    SET LOCAL tcp_keepalives_idle = 5; SET LOCAL tcp_keepalives_interval = 2; SET LOCAL tcp_keepalives_count = 3";

/// Ends every statement that reads: a server in recovery refuses to answer it, with `2201W`. A pooler may have
/// changed servers since the connection was made, and a standby's answer may be behind what was acknowledged.
const BY_THE_PRIMARY: &str = "LIMIT CASE WHEN pg_catalog.pg_is_in_recovery() THEN (-1)::bigint END";

/// Why the log is sealed: for the last reason it was given.
const WHY: &str = "coalesce(resealed[pg_catalog.cardinality(resealed)], sealed)";

/// How many bytes an event is, known without reading them.
const SIZE: &str = "pg_catalog.octet_length(kind) + pg_catalog.octet_length(data) + pg_catalog.octet_length(metadata)";

impl Sql {
    /// `schema` has been looked at: it needs no quoting.
    pub(super) fn new(schema: &str) -> Self {
        let page = |events: &str, order: &str| {
            // A page ends with the event that brings it beyond its size.
            format!(
                "SELECT position, name, revision, id, kind, data, metadata FROM \
                 (SELECT *, pg_catalog.sum({SIZE}) OVER (ORDER BY {order}) - ({SIZE}) AS before FROM ({events}) AS e) AS p \
                 WHERE before < $4 ORDER BY {order} {BY_THE_PRIMARY}"
            )
        };
        // Not a join: so the planner sees one stream, whose index has the order that is asked for, and reads no more of it.
        let the_stream = format!("(SELECT id FROM {schema}.streams WHERE name = $1)");
        let of_stream = |than: &str, order: &str| {
            page(
                &format!(
                    "SELECT position, $1 AS name, revision, id, kind, data, metadata FROM {schema}.events \
                     WHERE stream = {the_stream} AND revision {than} $2 ORDER BY {order} LIMIT $3"
                ),
                order,
            )
        };
        // The rows looked at: so many, however large a hole an erasure has left among them.
        let looked_at = |columns: &str, limit: &str| {
            format!(
                "SELECT {columns} FROM {schema}.events WHERE position > $1 AND position <= $2 \
                 ORDER BY position LIMIT {limit}"
            )
        };
        // `OFFSET 0` keeps the planner from reading all streams for the names of a page's: that gets slower as the log grows.
        let of_all = |limit: &str, admits: &str| {
            page(
                &format!(
                    "SELECT e.position, s.name, e.revision, e.id, e.kind, e.data, e.metadata FROM ({}) AS e \
                     CROSS JOIN LATERAL (SELECT name FROM {schema}.streams WHERE id = e.stream OFFSET 0) AS s{admits} \
                     ORDER BY e.position LIMIT $3",
                    looked_at("*", limit)
                ),
                "position",
            )
        };
        Self {
            begin: BEGIN,
            lock: format!(
                "SELECT position, streams, {WHY}, pg_catalog.current_setting('synchronous_commit') \
                 FROM {schema}.log FOR UPDATE"
            ),
            heads: format!(
                "SELECT n.i, s.id, (SELECT pg_catalog.max(revision) FROM {schema}.events WHERE stream = s.id), \
                 EXISTS (SELECT 1 FROM {schema}.erasures WHERE stream = s.id) \
                 FROM pg_catalog.unnest($1) WITH ORDINALITY AS n (name, i) JOIN {schema}.streams s ON s.name = n.name"
            ),
            found: format!(
                "SELECT n.i, f.revision, f.position FROM unnest($1, $2) WITH ORDINALITY AS n (name, id, i) \
                 JOIN {schema}.streams s ON s.name = n.name CROSS JOIN LATERAL \
                 (SELECT revision, position FROM {schema}.events WHERE stream = s.id AND id = n.id LIMIT 1) AS f"
            ),
            add_streams: format!(
                "INSERT INTO {schema}.streams (id, name) SELECT * FROM unnest($1, $2)"
            ),
            add_events: format!(
                "INSERT INTO {schema}.events (position, stream, revision, id, kind, data, metadata) \
                 SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7)"
            ),
            go_on: format!("UPDATE {schema}.log SET position = $1, streams = $2"),
            add_erasure: format!(
                "INSERT INTO {schema}.erasures (stream, position) VALUES ($1, $2)"
            ),
            remove_events: format!("DELETE FROM {schema}.events WHERE stream = $1"),
            probe: format!("UPDATE {schema}.probe SET count = count + 1"),
            last: format!("SELECT position FROM {schema}.log {BY_THE_PRIMARY}"),
            ends: format!(
                "SELECT (SELECT pg_catalog.max(revision) FROM {schema}.events \
                 WHERE stream = (SELECT id FROM {schema}.streams WHERE name = n.name)) \
                 FROM pg_catalog.unnest($1) WITH ORDINALITY AS n (name, i) ORDER BY n.i {BY_THE_PRIMARY}"
            ),
            forwards: of_stream(">=", "revision"),
            backwards: of_stream("<=", "revision DESC"),
            scanned: format!(
                "SELECT pg_catalog.max(position), pg_catalog.count(*) FROM ({}) AS e {BY_THE_PRIMARY}",
                looked_at("position", "$3")
            ),
            all: of_all("$3", ""),
            some: of_all(
                "$5",
                " WHERE ($6 IS NULL OR s.name LIKE ANY ($6) OR ($7 AND NOT s.name LIKE ANY ($8))) \
                 AND ($9 IS NULL OR e.kind = ANY ($9))",
            ),
            erased: format!("SELECT EXISTS (SELECT 1 FROM {schema}.erasures) {BY_THE_PRIMARY}"),
            erased_names: format!(
                "SELECT s.name FROM {schema}.erasures e JOIN {schema}.streams s ON s.id = e.stream \
                 {BY_THE_PRIMARY}"
            ),
            seal: format!("UPDATE {schema}.log SET sealed = $1"),
            reseal: format!(
                "UPDATE {schema}.log SET resealed = pg_catalog.array_append(resealed, $1)"
            ),
            sealed: format!("SELECT {WHY} FROM {schema}.log {BY_THE_PRIMARY}"),
            seals: format!(
                "SELECT CASE WHEN sealed IS NULL THEN resealed ELSE pg_catalog.array_prepend(sealed, resealed) END \
                 FROM {schema}.log {BY_THE_PRIMARY}"
            ),
            channel: format!("{schema}_events"),
        }
    }
}
