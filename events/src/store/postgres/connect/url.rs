//! The URL taken apart: what tokio-postgres understands, what concerns TLS, and what is the caller's own.

use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};

use super::error::ConnectError;
use super::places::{Place, places};
use super::tls::Mode;
use super::{PATIENCE, UNHEARD};

pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) places: Vec<Place>,
    pub(super) mode: Mode,
    /// The server speaks TLS from the first byte and isn't asked.
    pub(super) direct: bool,
    pub(super) roots: Option<PathBuf>,
    pub(super) own: Vec<(String, String)>,
}

pub(super) fn parse(url: &str, own: &[&str]) -> Result<Parts, ConnectError> {
    let is_ours = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !is_ours {
        return Err(invalid(
            "it doesn't begin with `postgres://` or `postgresql://`",
        ));
    }
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots, mut owned) = (None, None, Vec::new());
    let mut passed = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| invalid("a parameter of it has no `=`"))?;
        // The driver would take an escaped name for one that we haven't seen.
        if name.contains('%') {
            return Err(invalid(
                "the name of a parameter of it is escaped; write it out",
            ));
        }
        let decoded = || {
            let value = percent_decode_str(value).decode_utf8();
            value
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| invalid(format!("the value of `{name}` is not UTF-8")))
        };
        match name {
            "sslmode" => mode = Some(decoded()?.parse::<Mode>()?),
            "sslrootcert" => roots = Some(decoded()?),
            _ if own.contains(&name) => owned.push((name.to_owned(), decoded()?)),
            _ => passed.push(parameter),
        }
    }
    // libpq's word for the roots the system trusts. Whose certificate they vouch for is anybody's who asked for one: all
    // depends on the name.
    let by_the_system = roots.as_deref() == Some("system");
    let mode = match mode {
        None if by_the_system => Mode::VerifyFull,
        Some(mode) if by_the_system && mode != Mode::VerifyFull => {
            return Err(invalid(
                "`sslrootcert=system` goes with `sslmode=verify-full` only; say that, or leave `sslmode` out",
            ));
        }
        mode => mode.unwrap_or(Mode::Prefer),
    };
    let rest = format!("{address}?{}", passed.join("&"));
    let mut config = Config::from_str(rest.trim_end_matches('?')).map_err(|error| {
        // It names the parameter it doesn't know; values it doesn't repeat.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        invalid(cause.unwrap_or_else(|| error.to_string()))
    })?;
    let places = places(&config)?;
    let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
    if direct && mode < Mode::Require {
        return Err(invalid(
            "`sslnegotiation=direct` goes with `sslmode=require` or more only",
        ));
    }
    // The driver gets a connection that is encrypted already, where it is.
    config.ssl_mode(SslMode::Disable);
    config.ssl_negotiation(SslNegotiation::Postgres);
    let said = |name: &str| {
        let mut names = passed.iter().filter_map(|part| part.split_once('='));
        names.any(|(given, _)| given == name)
    };
    if !said("connect_timeout") {
        config.connect_timeout(PATIENCE);
    }
    if !said("keepalives_idle") {
        config.keepalives_idle(UNHEARD);
        config.keepalives_interval(UNHEARD / 3);
        config.keepalives_retries(3);
    }
    if !said("tcp_user_timeout") {
        config.tcp_user_timeout(UNHEARD);
    }
    let roots = roots.filter(|_| !by_the_system).map(PathBuf::from);
    Ok(Parts {
        config,
        places,
        mode,
        direct,
        roots,
        own: owned,
    })
}

pub(super) fn invalid(reason: impl Into<String>) -> ConnectError {
    ConnectError::Url {
        reason: reason.into(),
    }
}

impl FromStr for Mode {
    type Err = ConnectError;

    fn from_str(text: &str) -> Result<Self, ConnectError> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(invalid(
                "`sslmode` is `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
            )),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::super::Address;
    use super::Mode;

    #[test]
    fn a_url_is_taken_apart() {
        let url = "postgres://me:p%40%2Fss@a.example:5433,b.example:5434/exports?schema=c%5Fd&sslmode=disable";
        let (address, own) = Address::parse(url, &["schema"]).unwrap();
        assert_eq!(own, [("schema".to_owned(), "c_d".to_owned())]);
        assert_eq!(address.config.get_password(), Some(&b"p@/ss"[..]));
        assert_eq!(address.shown(), "a.example:5433,b.example:5434/exports");
        assert!(!format!("{address:?}").contains("ss@"));
        let (address, _) = Address::parse("postgresql://me@/x?host=/run/pg", &[]).unwrap();
        assert_eq!(address.shown(), "/run/pg/x");
        let (address, _) = Address::parse("postgres://me@/x?hostaddr=127.0.0.1", &[]).unwrap();
        assert_eq!(address.shown(), "127.0.0.1:5432/x");
    }

    #[test]
    fn the_systems_roots_are_asked_for_the_hosts_name() {
        let mode = |parameters: &str| {
            let parts = super::parse(&format!("postgres://me@h/x?{parameters}"), &[]);
            parts.map(|parts| (parts.mode, parts.roots))
        };
        let full = Ok((Mode::VerifyFull, None));
        assert_eq!(mode("sslrootcert=system"), full);
        assert_eq!(mode("sslrootcert=system&sslmode=verify-full"), full);
        assert_eq!(mode(""), Ok((Mode::Prefer, None)));
        for weak in ["disable", "prefer", "require", "verify-ca"] {
            let error = mode(&format!("sslmode={weak}&sslrootcert=system")).unwrap_err();
            assert!(error.to_string().contains("verify-full"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_repeating_it() {
        for (url, said) in [
            ("mysql://me:secret@h/x", "begin"),
            ("postgres://me:secret@h/x?sslmode=maybe", "verify-full"),
            ("postgres://me:secret@h/x?shema=a", "shema"),
            ("postgres://me:secret@h/x?schema", "no `=`"),
            ("postgres://me:secret@h:port/x", "port"),
            ("postgres:///x", "no host"),
            ("postgres://me@a,b/x?hostaddr=127.0.0.1", "hostaddr"),
            ("postgres://me@a,b,c/x?port=1,2", "ports"),
            ("postgres://me@h/x?sslnegotiation=direct", "sslmode=require"),
            (
                "postgres://me:secret@h/x?sslmode=verify-ca&sslrootcert=/nowhere",
                "/nowhere",
            ),
        ] {
            let error = Address::parse(url, &["schema"]).unwrap_err().to_string();
            assert!(error.contains(said), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
