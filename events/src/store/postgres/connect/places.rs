//! Where servers are, and sockets to them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts};
use uuid::Uuid;

use super::error::ConnectError;
use super::url::invalid;

/// A server, as the URL names it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    host: Host,
    /// Where its host is, if nobody needs to be asked.
    address: Option<IpAddr>,
    port: u16,
}

/// One address of a server: what is connected to.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    /// The name is the one that its certificate is for.
    Tcp(SocketAddr, String),
    /// Of the same machine: never encrypted, whatever is asked, as in libpq.
    Unix(PathBuf),
}

/// All places that a URL names, in its order.
pub(super) fn places(config: &Config) -> Result<Vec<Place>, ConnectError> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let ports = config.get_ports();
    // A bare address is a host's name as well.
    let named: Vec<Host> = match hosts {
        [] => addresses
            .iter()
            .map(|address| Host::Tcp(address.to_string()))
            .collect(),
        hosts => hosts.to_vec(),
    };
    if named.is_empty() {
        return Err(invalid("it names no host"));
    }
    if !addresses.is_empty() && addresses.len() != named.len() {
        return Err(invalid("it has not as many `hostaddr`s as hosts"));
    }
    if ports.len() > 1 && ports.len() != named.len() {
        return Err(invalid("it has not as many ports as hosts"));
    }
    let place = |(at, host)| Place {
        host,
        address: addresses.get(at).copied(),
        port: ports.get(at).or(ports.first()).copied().unwrap_or(5432),
    };
    Ok(named.into_iter().enumerate().map(place).collect())
}

/// In the order in which they are tried: as they stand, or by chance where the URL says so.
pub(super) fn in_turn<T>(mut all: Vec<T>, config: &Config) -> Vec<T> {
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        all.sort_by_cached_key(|_| Uuid::new_v4());
    }
    all
}

impl Place {
    /// Its addresses.
    pub(super) async fn endpoints(&self) -> io::Result<Vec<Endpoint>> {
        let tcp = |address: IpAddr, name: &str| {
            Endpoint::Tcp(SocketAddr::new(address, self.port), name.to_owned())
        };
        Ok(match (&self.host, self.address) {
            (Host::Tcp(name), Some(address)) => vec![tcp(address, name)],
            // The address alone says where; there is no directory to look into.
            (Host::Unix(_), Some(address)) => vec![tcp(address, &address.to_string())],
            (Host::Tcp(name), None) => lookup_host((name.as_str(), self.port))
                .await?
                .map(|found| tcp(found.ip(), name))
                .collect(),
            (Host::Unix(directory), None) => {
                vec![Endpoint::Unix(
                    directory.join(format!(".s.PGSQL.{}", self.port)),
                )]
            }
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Tcp(name) => write!(f, "{name}:{}", self.port),
            Host::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Connects to an address, so that a server that is gone without a word is noticed.
pub(super) async fn dial(address: SocketAddr, config: &Config) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    #[cfg(target_os = "linux")]
    if let Some(timeout) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*timeout))?;
    }
    if config.get_keepalives() {
        let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
        if let Some(interval) = config.get_keepalives_interval() {
            keepalive = keepalive.with_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            keepalive = keepalive.with_retries(retries);
        }
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(stream)
}
