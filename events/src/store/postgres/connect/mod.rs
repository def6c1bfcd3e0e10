//! Connecting to PostgreSQL: a URL becomes a connection, with TLS, deadlines and errors that name the remedy.
//!
//! Whoever needs PostgreSQL begins here: the event store, and sources of tenant data. The URL is libpq's:
//! `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?sslmode=…&sslrootcert=…&target_session_attrs=…`, any part
//! percent-encoded. A directory as host (`?host=/run/postgresql`) is a Unix socket.
//!
//! | `sslmode` | what is asked of the server |
//! |---|---|
//! | `disable` | nothing, and nothing is encrypted |
//! | `prefer` (the default) | encryption if it offers it; anybody could answer |
//! | `require` | encryption; its certificate is checked only where `sslrootcert` is given |
//! | `verify-ca` | a certificate that leads to a root we trust |
//! | `verify-full` | that, and that it is for this host |
//!
//! `sslrootcert=FILE` holds the roots as PEM; without it they are the system's. `sslrootcert=system` says so, and that the
//! server is verified: it means `verify-full`, and goes with nothing less.

mod bounded;
mod error;
mod gauge;
mod tls;
mod url;

pub use self::error::{ConnectError, describe};
pub use self::gauge::Limits;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Notification};

use self::bounded::BoundedTls;
use self::tls::{Mode, Tls};

/// How long connecting to one host may take when the URL doesn't say (`connect_timeout`).
const PATIENCE: Duration = Duration::from_secs(5);

/// How long connecting may take in all, however many hosts there are.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);

/// A server that is gone without a word is noticed after about this long.
const UNHEARD: Duration = Duration::from_secs(15);

/// A database, as a URL names it. Shown without user and password.
#[derive(Clone)]
pub struct Address {
    config: tokio_postgres::Config,
    tls: Tls,
    mode: Mode,
}

impl Address {
    /// Understands `url`. Parameters named in `own` are the caller's, and come back with their values.
    ///
    /// # Errors
    /// [`ConnectError::Url`], which repeats nothing of the URL but names of parameters.
    pub fn parse(url: &str, own: &[&str]) -> Result<(Self, Vec<(String, String)>), ConnectError> {
        let url::Parts {
            config,
            mode,
            roots,
            own,
        } = url::parse(url, own)?;
        let tls = Tls::new(mode, roots.as_deref())?;
        Ok((Self { config, tls, mode }, own))
    }

    /// The name that this side goes by in the server's lists (`pg_stat_activity`), unless the URL gives one.
    #[must_use]
    pub fn application_name(mut self, name: &str) -> Self {
        if self.config.get_application_name().is_none() {
            self.config.application_name(name);
        }
        self
    }

    /// Asks for a server that takes writes: of several hosts the primary, whichever that is by now.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.config
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        self
    }

    /// Takes any server that answers, also one that only reads.
    #[must_use]
    pub fn any_server(mut self) -> Self {
        self.config.target_session_attrs(TargetSessionAttrs::Any);
        self
    }

    /// Connects. The connection is driven by a task of its own and closed when it is dropped.
    ///
    /// # Errors
    /// Whatever is in the way, with its remedy. It never takes longer than 20 seconds, 5 for a single host.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        self.open(None, None).await
    }

    /// Connects, and takes no message beyond `limits`: the connection ends before it is read, and [`Connection::refused`] says why. Unix
    /// sockets have no limits, and neither have hosts that are given by their address alone (`hostaddr`).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_bounded(&self, limits: Limits) -> Result<Connection, ConnectError> {
        let hosts = self.config.get_hosts();
        let named = |host: &Host| matches!(host, Host::Tcp(_));
        let limits = Some(limits).filter(|_| !hosts.is_empty() && hosts.iter().all(named));
        self.open(None, limits).await
    }

    /// Connects, and sends what the server notifies (`LISTEN`) to `notifications`; what finds it full is left out.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_and_listen(
        &self,
        notifications: mpsc::Sender<Notification>,
    ) -> Result<Connection, ConnectError> {
        self.open(Some(notifications), None).await
    }

    async fn open(
        &self,
        notifications: Option<mpsc::Sender<Notification>>,
        limits: Option<Limits>,
    ) -> Result<Connection, ConnectError> {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let each = self.config.get_connect_timeout().copied();
        // The library's limit holds for reaching a host only, not for what is said there.
        let deadline = each
            .unwrap_or(PATIENCE)
            .saturating_mul(hosts.max(1))
            .clamp(Duration::from_secs(1), PATIENCE_IN_ALL);
        let bounded = limits.map(|limits| BoundedTls {
            tls: self.tls.clone(),
            mode: self.mode,
            direct: self.config.get_ssl_negotiation() == SslNegotiation::Direct,
            limits,
            refused: Arc::default(),
        });
        let connecting = async {
            Ok(match &bounded {
                None => {
                    let (client, connection) = self.config.connect(self.tls.clone()).await?;
                    (client, tokio::spawn(drive(connection, notifications)))
                }
                Some(bounded) => {
                    let mut config = self.config.clone();
                    // The only way by which the driver lets others have a word.
                    config.ssl_mode(SslMode::Require);
                    config.ssl_negotiation(SslNegotiation::Direct);
                    let (client, connection) = config.connect(bounded.clone()).await?;
                    (client, tokio::spawn(drive(connection, notifications)))
                }
            })
        };
        let (client, task) = match tokio::time::timeout(deadline, connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(error::translate(self, &error)),
            Err(_) => return Err(error::silent(self, deadline)),
        };
        Ok(Connection {
            client,
            task: Task(task),
            bounded,
        })
    }

    /// Asks the server to end what a connection made here has it do. Whether it did shows there.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn cancel(&self, connection: &Connection) -> Result<(), ConnectError> {
        let token = connection.cancel_token();
        let asked = match &connection.bounded {
            None => token.cancel_query(self.tls.clone()).await,
            Some(bounded) => token.cancel_query(bounded.clone()).await,
        };
        asked.map_err(|error| error::translate(self, &error))
    }

    /// The hosts and the database, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        let ports = self.config.get_ports();
        let host = |(n, host): (usize, &Host)| match host {
            Host::Tcp(name) => {
                let port = ports.get(n).or_else(|| ports.first()).copied();
                format!("{name}:{}", port.unwrap_or(5432))
            }
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(host)
            .collect();
        format!("{}/{}", hosts.join(","), self.database())
    }

    /// The database's name; without one it is called like the user.
    fn database(&self) -> &str {
        let user = || self.config.get_user().unwrap_or_default();
        self.config.get_dbname().unwrap_or_else(user)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown()).finish()
    }
}

/// Drives a connection until it ends.
async fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    notifications: Option<mpsc::Sender<Notification>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) =
        std::future::poll_fn(|context| connection.poll_message(context)).await
    {
        if let (AsyncMessage::Notification(told), Some(to)) = (message, &notifications) {
            // Whoever is told is told to look; one that has not looked yet needs no second word.
            let _ = to.try_send(told);
        }
    }
}

/// One connection. Dropping it closes it, whatever is under way on it.
pub struct Connection {
    client: Client,
    task: Task,
    bounded: Option<BoundedTls>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.client).finish()
    }
}

impl Connection {
    /// Why it ended, if that was for a message beyond its limits: the column of a row, from 0, or `None` within when it wasn't one column, or no row.
    #[must_use]
    pub fn refused(&self) -> Option<Option<usize>> {
        self.bounded.as_ref()?.refused.get().copied()
    }

    /// Takes leave of the server once it has answered everything; it needn't find out by itself.
    pub async fn close(self) {
        let Self {
            client, mut task, ..
        } = self;
        drop(client);
        // It ends by itself now that there is nobody to drive for.
        let _ = (&mut task.0).await;
    }
}

impl std::ops::Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// What drives a connection.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
