//! The connection string: read here, because the client crate neither decodes a user's name and password nor minds a
//! misspelt parameter.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::store::StoreError;

const DEFAULT_PORT: u16 = 2113;
/// The namespace unless one is given.
pub(crate) const DEFAULT_NAMESPACE: &str = "carnet";

/// Where one node answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    /// A name or an address; one of IPv6 stands in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What a connection string says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// The nodes to begin with: gossip seeds, or the one node there is.
    pub(super) seeds: Vec<Endpoint>,
    /// Whether the leader is found by asking the seeds for their cluster; otherwise the one seed is asked for everything.
    pub(super) discover: bool,
    pub(super) tls: bool,
    pub(super) verify_certificates: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) user: Option<(String, String)>,
    /// What the names of our streams begin with, before a full stop.
    pub(super) namespace: String,
    pub(super) connection_name: String,
    /// How long a node may take to tell its cluster.
    pub(super) gossip_timeout: Duration,
    /// Between looking for a leader and looking again.
    pub(super) discovery_interval: Duration,
    /// How often a silent connection is asked whether it is alive, and how long it may take to say so.
    pub(super) keep_alive: (Duration, Duration),
}

// The password is not for logs.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("seeds", &self.seeds)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads `esdb://…`, `esdb+discover://…` and the same beginning with `kurrentdb`.
    ///
    /// # Errors
    /// `Invalid`, naming what to write instead; never with the URL itself, which may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            invalid("it begins with `esdb://`, `esdb+discover://` or `kurrentdb://`")
        })?;
        let discover = match scheme {
            "esdb" | "kurrentdb" => false,
            "esdb+discover" | "kurrentdb+discover" => true,
            _ => return Err(invalid("it begins with `esdb://` or `esdb+discover://`")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, hosts) = match rest.rsplit_once('@') {
            Some((user, _)) if user.contains('/') => {
                return Err(invalid(
                    "a `/` in a user's name or password is written `%2F`",
                ));
            }
            Some((user, hosts)) => (Some(credentials(user)?), hosts),
            None => (None, rest),
        };
        let seeds = hosts
            .split(',')
            .map(endpoint)
            .collect::<Result<Vec<_>, _>>()?;
        let mut settings = Self {
            discover: discover || seeds.len() > 1,
            seeds,
            tls: true,
            verify_certificates: true,
            ca_file: None,
            user,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            connection_name: "carnet".to_owned(),
            gossip_timeout: Duration::from_secs(3),
            discovery_interval: Duration::from_millis(200),
            keep_alive: (Duration::from_secs(10), Duration::from_secs(10)),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            settings.set(name, &decoded(value)?)?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        match name.to_ascii_lowercase().as_str() {
            "tls" => self.tls = truth(name, value)?,
            "tlsverifycert" => self.verify_certificates = truth(name, value)?,
            "tlscafile" => self.ca_file = Some(PathBuf::from(value)),
            "namespace" => self.namespace = namespace(value)?,
            "connectionname" => self.connection_name = value.to_owned(),
            "gossiptimeout" => self.gossip_timeout = millis(name, value)?,
            "discoveryinterval" => self.discovery_interval = millis(name, value)?,
            "keepaliveinterval" => self.keep_alive.0 = millis(name, value)?,
            "keepalivetimeout" => self.keep_alive.1 = millis(name, value)?,
            // Decisions rest on what is read; only the leader has read it last.
            "nodepreference" if value.eq_ignore_ascii_case("leader") => {}
            "nodepreference" => {
                return Err(invalid(
                    "`nodePreference` is `leader`, for only the leader's answers are sure to be the latest: leave it out",
                ));
            }
            // Others' clients know these; here time-outs and repetition are bounded anyway.
            "maxdiscoverattempts" | "defaultdeadline" | "throwonappendfailure" => {}
            _ => {
                return Err(invalid(&format!(
                    "there is no parameter `{name}`; there are tls, tlsVerifyCert, tlsCaFile, namespace, connectionName, \
                     gossipTimeout, discoveryInterval, keepAliveInterval and keepAliveTimeout"
                )));
            }
        }
        Ok(())
    }
}

fn invalid(reason: &str) -> StoreError {
    StoreError::invalid(format!("the store's URL: {reason}"))
}

fn decoded(text: &str) -> Result<String, StoreError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| invalid("what is percent-encoded in it must be UTF-8"))
}

fn credentials(text: &str) -> Result<(String, String), StoreError> {
    let (user, password) = text.split_once(':').ok_or_else(|| {
        invalid("before the `@` stand user and password, `user:password`, percent-encoded")
    })?;
    let user = decoded(user)?;
    if user.contains(':') {
        return Err(invalid("a user's name holds no `:`"));
    }
    Ok((user, decoded(password)?))
}

fn endpoint(text: &str) -> Result<Endpoint, StoreError> {
    let colon = match text.rfind(']') {
        Some(end) => text[end..].find(':').map(|at| end + at),
        None => text.find(':'),
    };
    let (host, port) = match colon {
        Some(at) => {
            let port = text[at + 1..].parse();
            let port = port.map_err(|_| invalid("a port is a number up to 65535"))?;
            (&text[..at], port)
        }
        None => (text, DEFAULT_PORT),
    };
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if host.is_empty() || !plain {
        return Err(invalid(
            "after the user come hosts, `host:port,host:port`; a password is percent-encoded",
        ));
    }
    Ok(Endpoint {
        host: host.to_owned(),
        port,
    })
}

fn namespace(value: &str) -> Result<String, StoreError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if value.is_empty() || value.len() > 64 || !value.bytes().all(plain) {
        return Err(invalid(
            "`namespace` is 1 to 64 letters, digits, `-` or `_`",
        ));
    }
    Ok(value.to_owned())
}

fn truth(name: &str, value: &str) -> Result<bool, StoreError> {
    value
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| invalid(&format!("`{name}` is `true` or `false`")))
}

fn millis(name: &str, value: &str) -> Result<Duration, StoreError> {
    match value.parse() {
        Ok(millis @ 1..=3_600_000) => Ok(Duration::from_millis(millis)),
        _ => Err(invalid(&format!(
            "`{name}` is a number of milliseconds, up to an hour"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn host(host: &str, port: u16) -> Endpoint {
        Endpoint {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn one_node_is_asked_itself_and_several_are_asked_for_their_leader() {
        for (url, seeds, discover) in [
            ("esdb://db", vec![host("db", 2113)], false),
            ("kurrentdb://db:2114/", vec![host("db", 2114)], false),
            ("esdb+discover://db:1", vec![host("db", 1)], true),
            ("kurrentdb+discover://db", vec![host("db", 2113)], true),
            (
                "esdb://a:1,b:2,c",
                vec![host("a", 1), host("b", 2), host("c", 2113)],
                true,
            ),
            ("esdb://[::1]:5?tls=false", vec![host("[::1]", 5)], false),
        ] {
            let settings = Settings::parse(url).unwrap();
            assert_eq!(
                (settings.seeds, settings.discover),
                (seeds, discover),
                "{url}"
            );
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded_and_not_shown() {
        let settings = Settings::parse("esdb://ad%40min:p%2Fss%3A%20w%25@h?tls=TRUE").unwrap();
        assert_eq!(
            settings.user,
            Some(("ad@min".to_owned(), "p/ss: w%".to_owned()))
        );
        assert!(!format!("{settings:?}").contains("ss:"));
    }

    #[test]
    fn parameters_are_told_whatever_their_case_and_others_refused() {
        let url = "esdb://h?TLS=false&tlscafile=%2Fca%20x.pem&namespace=t-1&keepAliveInterval=500&nodePreference=Leader";
        let settings = Settings::parse(url).unwrap();
        assert!(!settings.tls);
        assert_eq!(settings.ca_file, Some(PathBuf::from("/ca x.pem")));
        assert_eq!(settings.namespace, "t-1");
        assert_eq!(settings.keep_alive.0, Duration::from_millis(500));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "esdb:",
            "http://u:secret@h",
            "esdb://",
            "esdb://u:secret@",
            "esdb://usersecret@h",
            "esdb://u:secret@h:99999",
            "esdb://u:sec/ret@h/x@y",
            "esdb://u:secret@h?tls=yes",
            "esdb://u:secret@h?tlsverify=true",
            "esdb://u:secret@h?nodePreference=follower",
            "esdb://u:secret@h?namespace=a.b",
            "esdb://u:secret@h?gossipTimeout=0",
        ] {
            let error = Settings::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Invalid { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
