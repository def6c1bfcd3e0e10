//! One transaction: queries described, queries read.

use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use carnet_events::ids::Timestamp;
use carnet_events::store::postgres::connect::Connection;
use futures::StreamExt as _;
use tokio::time::Interval;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::failure::Origin;
use super::parameters::Numbered;
use super::row::Made;
use super::session::Session;
use super::types::{Form, type_name};
use crate::export::error::ExportError;
use crate::export::source::{Bindings, Shape, Snapshot, SourceType, Visitor};

/// How often it is said that the server is waited for.
const BEAT: Duration = Duration::from_secs(1);

/// What the server says of a statement that isn't a SELECT when it stands where only a SELECT can, or of one that locks rows.
const NOT_READING: [SqlState; 3] = [
    SqlState::SYNTAX_ERROR,
    SqlState::FEATURE_NOT_SUPPORTED,
    SqlState::READ_ONLY_SQL_TRANSACTION,
];

pub(super) struct PostgresSnapshot {
    source: String,
    session: Session,
    read_at: Timestamp,
    /// Whether a query may give no row for as long as its time lasts.
    silent: bool,
}

impl PostgresSnapshot {
    pub(super) const fn new(
        source: String,
        session: Session,
        read_at: Timestamp,
        silent: bool,
    ) -> Self {
        Self {
            source,
            session,
            read_at,
            silent,
        }
    }

    fn origin<'a>(&'a self, category: &'a str) -> Origin<'a> {
        Origin {
            source: &self.source,
            category: Some(category),
        }
    }
}

impl Snapshot for PostgresSnapshot {
    fn read_at(&self) -> Timestamp {
        self.read_at
    }

    fn describe(&self, category: &str, query: &str) -> Result<Shape, ExportError> {
        let origin = self.origin(category);
        let numbered = Numbered::of(query);
        self.session.run(origin, async |connection| {
            let failed = |error: &tokio_postgres::Error| origin.failed(error, &numbered.names);
            let step = async |sql| connection.batch_execute(sql).await.map_err(|e| failed(&e));
            // What fails here must not spoil the transaction for the next.
            step("SAVEPOINT carnet").await?;
            let described = describe(connection, &numbered).await;
            step("ROLLBACK TO SAVEPOINT carnet").await?;
            described.map_err(|error| failed(&error))
        })
    }

    fn read(
        &self,
        category: &str,
        query: &str,
        bindings: &Bindings<'_>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ExportError> {
        let origin = self.origin(category);
        let numbered = Numbered::of(query);
        let values = values(&numbered, bindings, category)?;
        self.session.run(origin, async |connection| {
            let failed = |error: tokio_postgres::Error| origin.failed(&error, &numbered.names);
            let statement = connection.prepare(&numbered.sql).await.map_err(failed)?;
            let failed = |error: tokio_postgres::Error| match connection.refused() {
                Some(column) => too_large(category, &statement, column),
                None => failed(error),
            };
            let columns = statement.columns();
            if columns.is_empty() {
                return Err(ExportError::QueryFailed {
                    category: category.to_owned(),
                    reason: "it returns no rows".to_owned(),
                });
            }
            let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            visitor.columns(&names)?;
            let forms = columns.iter().map(|column| Form::of(column.type_()));
            let mut made = Made::new(forms.collect());
            let mut beat = self.silent.then(|| tokio::time::interval(BEAT));
            let rows = connection.query_raw(&statement, values);
            let rows = patiently(rows, &mut beat, visitor).await;
            let mut rows = std::pin::pin!(rows.map_err(failed)?);
            while let Some(row) = patiently(rows.next(), &mut beat, visitor).await {
                visitor.row(&made.of(&row.map_err(failed)?))?;
            }
            Ok(())
        })
    }
}

/// A row was refused on its way here.
fn too_large(category: &str, statement: &Statement, column: Option<usize>) -> ExportError {
    let column = column.and_then(|column| statement.columns().get(column));
    ExportError::RowTooLarge {
        category: category.to_owned(),
        column: column.map(|column| column.name().to_owned()),
    }
}

/// Waits for the server, and says so now and then where it may take its time. Nothing else is a sign of life: while the visitor is busy nobody gets here.
async fn patiently<T>(
    answer: impl Future<Output = T>,
    beat: &mut Option<Interval>,
    visitor: &mut dyn Visitor,
) -> T {
    let Some(beat) = beat else {
        return answer.await;
    };
    let mut answer = std::pin::pin!(answer);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            _ = beat.tick() => visitor.waiting(),
        }
    }
}

async fn describe(
    connection: &Connection,
    numbered: &Numbered,
) -> Result<Shape, tokio_postgres::Error> {
    let statement = connection.prepare(&numbered.sql).await?;
    let columns = statement.columns();
    let parameters = numbered.names.iter().map(|name| format!(":{name}"));
    Ok(Shape {
        columns: columns
            .iter()
            .map(|column| column.name().to_owned())
            .collect(),
        types: columns
            .iter()
            .map(|column| SourceType {
                name: type_name(column.type_()),
                suits: Form::of(column.type_()).suits(),
            })
            .collect(),
        parameters: parameters.chain(numbered.others.clone()).collect(),
        read_only: !columns.is_empty() && only_reads(connection, numbered).await?,
    })
}

/// Whether the query can stand where only one that reads can. It is begun there, so that missing rights show, but gives no row.
async fn only_reads(
    connection: &Connection,
    numbered: &Numbered,
) -> Result<bool, tokio_postgres::Error> {
    let within = format!("SELECT FROM (\n{}\n) AS query LIMIT 0", numbered.sql);
    let nulls = numbered.names.iter().map(|_| TextValue(None));
    let begun = async {
        let statement = connection.prepare(&within).await?;
        let mut rows = std::pin::pin!(connection.query_raw(&statement, nulls).await?);
        while rows.next().await.transpose()?.is_some() {}
        Ok::<_, tokio_postgres::Error>(())
    };
    match begun.await {
        Ok(()) => Ok(true),
        Err(error) if error.code().is_some_and(|code| NOT_READING.contains(code)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The values of the parameters, in the order of their numbers.
fn values<'a>(
    numbered: &Numbered,
    bindings: &Bindings<'a>,
    category: &str,
) -> Result<Vec<TextValue<'a>>, ExportError> {
    let value = |name: &String| match name.as_str() {
        "tenant" => Ok(TextValue(Some(bindings.tenant))),
        "scope" => Ok(TextValue(bindings.scope)),
        _ => Err(ExportError::QueryFailed {
            category: category.to_owned(),
            reason: format!("it binds :{name}, which has no value"),
        }),
    };
    numbered.names.iter().map(value).collect()
}

/// A value in its text form: the server reads it as the type that it found for the parameter.
#[derive(Debug, Clone, Copy)]
struct TextValue<'a>(Option<&'a str>);

impl ToSql for TextValue<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = self.0 else {
            return Ok(IsNull::Yes);
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
