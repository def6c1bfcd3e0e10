use std::net::TcpListener;
use std::time::{Duration, Instant};

use carnet_events::store::postgres::connect::{Address, ConnectError, Connection};

use crate::server::{Postgres, USER, shared};

pub(crate) async fn connect(url: &str) -> Result<Connection, ConnectError> {
    Address::parse(url, &[])?.0.connect().await
}

#[tokio::test]
async fn a_connection_goes_by_its_name() {
    let (address, _) = Address::parse(&shared::url(), &[]).unwrap();
    let connection = address.application_name("a test").connect().await.unwrap();
    let name = "SELECT current_setting('application_name')";
    let row = connection.query_typed_one(name, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "a test");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_repeated() {
    let url = shared::url_of(USER, "wrong-secret");
    let error = connect(&url).await.unwrap_err();
    assert!(matches!(error, ConnectError::Denied { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("check user and password"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    let error = connect(&shared::url_of("nobody", "x")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_with_its_remedy() {
    let url = shared::url().replace("/postgres", "/nothing-there");
    let error = connect(&url).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::NoDatabase { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("createdb"), "{error}");
}

#[tokio::test]
async fn a_host_where_nobody_listens_is_said() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgres://me:secret@127.0.0.1:{port}/x");
    let error = connect(&url).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    let url = "postgres://me:secret@no-such-host.invalid/x";
    let error = connect(url).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
}

/// It takes connections and says nothing, ever.
#[tokio::test]
async fn a_host_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://me@127.0.0.1:{port}/x?connect_timeout=1");
    let begun = Instant::now();
    let error = connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("no answer"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn of_several_hosts_the_one_that_takes_writes_is_used() {
    let reading = Postgres::start(&["default_transaction_read_only = on"]).unwrap();
    let ports = format!("127.0.0.1:{},127.0.0.1:{}", reading.port(), shared::port());
    let url = shared::url().replace(&format!("127.0.0.1:{}", shared::port()), &ports);
    let (address, _) = Address::parse(&url, &[]).unwrap();
    let connection = address.clone().primary().connect().await.unwrap();
    let port = "SELECT current_setting('port')";
    let row = connection.query_typed_one(port, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), shared::port().to_string());

    let (alone, _) = Address::parse(&reading.url("postgres"), &[]).unwrap();
    let error = alone.primary().connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("primary"), "{error}");
}
