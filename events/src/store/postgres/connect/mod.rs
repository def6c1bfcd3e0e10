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
//! server is verified: it means `verify-full`, and goes with nothing less. A Unix socket is never encrypted, whatever is asked.
//!
//! The driver speaks PostgreSQL's protocol and nothing before it: addresses, sockets and TLS are here. It would tell a server that refuses, and
//! something that is no PostgreSQL, from one without TLS by nothing; and it lets nobody see a row before it has taken it in whole.

mod error;
mod gauge;
mod gauged;
mod greeting;
mod places;
mod tls;
mod url;

pub use self::error::{ConnectError, describe};
pub use self::gauge::Limits;

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, NoTls, Notification, SimpleQueryMessage};

use self::error::{Trouble, translate};
use self::gauged::{Ended, Gauged, Verdicts, Wire};
use self::places::{Endpoint, Place, in_turn};
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
    places: Vec<Place>,
    tls: Tls,
    mode: Mode,
    direct: bool,
}

impl Address {
    /// Understands `url`. Parameters named in `own` are the caller's, and come back with their values.
    ///
    /// # Errors
    /// [`ConnectError::Url`], which repeats nothing of the URL but names of parameters.
    pub fn parse(url: &str, own: &[&str]) -> Result<(Self, Vec<(String, String)>), ConnectError> {
        let url::Parts {
            config,
            places,
            mode,
            direct,
            roots,
            own,
        } = url::parse(url, own)?;
        let address = Self {
            config,
            places,
            tls: Tls::new(mode, roots.as_deref())?,
            mode,
            direct,
        };
        Ok((address, own))
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
    /// Whatever is in the way, with its remedy. It never takes longer than 20 seconds, 5 for a single address.
    pub async fn connect(&self) -> Result<Connection, ConnectError> {
        self.open(None, Limits::NONE).await
    }

    /// Connects, and takes no message beyond `limits`: the connection ends before it is read, and [`Connection::refused`] says why.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_bounded(&self, limits: Limits) -> Result<Connection, ConnectError> {
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
        self.open(Some(notifications), Limits::NONE).await
    }

    async fn open(
        &self,
        notifications: Option<mpsc::Sender<Notification>>,
        limits: Limits,
    ) -> Result<Connection, ConnectError> {
        let mut trouble = Trouble::Silent(PATIENCE_IN_ALL);
        let connecting = async {
            let places = in_turn(self.places.iter().collect(), &self.config);
            // No place takes the time of those after it.
            let share = PATIENCE_IN_ALL / u32::try_from(places.len().max(1)).unwrap_or(u32::MAX);
            let each = self.patience().min(share.max(Duration::from_secs(1)));
            for place in places {
                let connected = self.connect_to(place, each, notifications.as_ref(), limits);
                match connected.await {
                    Ok(connection) => return Some(connection),
                    Err(error) => trouble = error,
                }
            }
            None
        };
        match timeout(PATIENCE_IN_ALL, connecting).await {
            Ok(Some(connection)) => Ok(connection),
            Ok(None) | Err(_) => Err(translate(self.shown(), trouble)),
        }
    }

    /// How long one address may take, with all that is said there.
    fn patience(&self) -> Duration {
        let said = self.config.get_connect_timeout().copied();
        said.unwrap_or(PATIENCE)
            .clamp(Duration::from_secs(1), PATIENCE_IN_ALL)
    }

    /// Connects to one place: to the first of its addresses that will have us. Each may take so long, as looking them up may.
    async fn connect_to(
        &self,
        place: &Place,
        each: Duration,
        notifications: Option<&mpsc::Sender<Notification>>,
        limits: Limits,
    ) -> Result<Connection, Trouble> {
        let endpoints = timeout(each, place.endpoints()).await;
        let endpoints = endpoints.map_err(|_| Trouble::Silent(each))?;
        let endpoints = endpoints.map_err(Trouble::Absent)?;
        let mut trouble = Trouble::Absent(io::ErrorKind::AddrNotAvailable.into());
        for endpoint in in_turn(endpoints, &self.config) {
            let connected = self.connect_at(endpoint, notifications.cloned(), limits);
            match timeout(each, connected).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => trouble = error,
                Err(_) => trouble = Trouble::Silent(each),
            }
        }
        Err(trouble)
    }

    async fn connect_at(
        &self,
        endpoint: Endpoint,
        notifications: Option<mpsc::Sender<Notification>>,
        limits: Limits,
    ) -> Result<Connection, Trouble> {
        let ended = Verdicts::default();
        let stream = Gauged::new(self.reach(&endpoint).await?, limits, ended.clone());
        let (client, connection) = self
            .config
            .connect_raw(stream, NoTls)
            .await
            .map_err(|error| Trouble::met(error, &ended))?;
        let connection = Connection {
            client,
            task: Task(tokio::spawn(drive(connection, notifications))),
            endpoint,
            ended,
        };
        self.suits(&connection).await?;
        Ok(connection)
    }

    /// A connection on which nothing was said but about TLS.
    async fn reach(&self, endpoint: &Endpoint) -> Result<Box<dyn Wire>, Trouble> {
        match endpoint {
            Endpoint::Tcp(address, name) => {
                let dialled = places::dial(*address, &self.config).await;
                let stream = dialled.map_err(Trouble::Absent)?;
                greeting::encrypt(stream, name, (&self.tls, self.mode, self.direct)).await
            }
            Endpoint::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(Trouble::Absent(error)),
            },
        }
    }

    /// Whether it takes writes, where the URL or the caller asks for one that does, or for one that doesn't.
    async fn suits(&self, connection: &Connection) -> Result<(), Trouble> {
        let (reads_only, unlike) = match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => ("off", Trouble::ReadOnly),
            TargetSessionAttrs::ReadOnly => ("on", Trouble::Primary),
            _ => return Ok(()),
        };
        let asked = connection.simple_query("SHOW transaction_read_only").await;
        let answer = asked.map_err(|error| Trouble::met(error, &connection.ended))?;
        let is_said = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => row.get(0) == Some(reads_only),
            _ => false,
        };
        answer.iter().any(is_said).then_some(()).ok_or(unlike)
    }

    /// Asks the server to end what a connection made here has it do. Whether it did shows there.
    ///
    /// # Errors
    /// When the server can't be asked.
    pub async fn cancel(&self, connection: &Connection) -> Result<(), ConnectError> {
        let asking = async {
            let wire = self.reach(&connection.endpoint).await?;
            let token = connection.cancel_token();
            let asked = token.cancel_query_raw(wire, NoTls).await;
            asked.map_err(Trouble::Driver)
        };
        let patience = self.patience();
        let asked = match timeout(patience, asking).await {
            Ok(asked) => asked,
            Err(_) => Err(Trouble::Silent(patience)),
        };
        asked.map_err(|trouble| translate(self.shown(), trouble))
    }

    /// The hosts and the database, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        format!("{}/{}", places.join(","), self.database())
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
async fn drive(
    mut connection: tokio_postgres::Connection<Gauged, NoTlsStream>,
    notifications: Option<mpsc::Sender<Notification>>,
) {
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
    /// Where the server is that has it.
    endpoint: Endpoint,
    ended: Verdicts,
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
        match self.ended.get()? {
            Ended::TooLarge(column) => Some(*column),
            Ended::Foreign(_) => None,
        }
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
