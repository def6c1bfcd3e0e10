//! `postgres://` — what has to do with PostgreSQL.

pub mod connect;
