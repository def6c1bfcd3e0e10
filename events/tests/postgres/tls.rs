use crate::connect::connect;
use crate::server::USER;
use crate::server::certificates::server;
use carnet_events::store::postgres::connect::ConnectError;

#[tokio::test]
async fn every_sslmode_asks_what_it_says() {
    let (postgres, files) = server();
    let by_address = postgres.url("postgres");
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let with = |url: &str, mode: &str, roots: Option<&str>| {
        let roots = roots.map(|file| format!("&sslrootcert={}", files.path().join(file).display()));
        format!("{url}?sslmode={mode}{}", roots.unwrap_or_default())
    };

    // Before the server can do TLS.
    let required = with(&by_name, "require", None);
    let error = connect(&required).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    connect(&with(&by_name, "prefer", None)).await.unwrap();

    postgres.execute("ALTER SYSTEM SET ssl = on").unwrap();
    postgres.reload().unwrap();
    let encrypted = async |url: String| {
        let connection = connect(&url).await?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = connection.query_typed_one(sql, &[]).await.unwrap();
        Ok::<bool, ConnectError>(row.get(0))
    };
    while encrypted(required.clone()).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let port = postgres.port();
    let nameless = by_address.replace(&format!("127.0.0.1:{port}"), "");
    let bare = format!("verify-ca&hostaddr=127.0.0.1&port={port}");
    for (url, mode, roots, is_encrypted) in [
        (&by_name, "disable", None, false),
        (&by_name, "prefer", None, true),
        (&by_name, "require", None, true),
        (&by_address, "require", Some("ca.pem"), true),
        (&by_address, "verify-ca", Some("ca.pem"), true),
        (&by_name, "verify-full", Some("ca.pem"), true),
        (&by_name, "verify-full", Some("server.pem"), true),
        // Where it is and how it is called may be two things; without a name its address is one.
        (
            &by_name,
            "verify-full&hostaddr=127.0.0.1",
            Some("ca.pem"),
            true,
        ),
        (&nameless, &bare, Some("ca.pem"), true),
    ] {
        let got = encrypted(with(url, mode, roots)).await;
        assert_eq!(got, Ok(is_encrypted), "{mode} {roots:?}");
    }
    for (url, mode, roots) in [
        (&by_address, "verify-full", Some("ca.pem")),
        (&by_address, "verify-full", Some("server.pem")),
        (&by_name, "verify-full", Some("foreign.pem")),
        (&by_name, "verify-ca", Some("foreign.pem")),
        (&by_name, "require", Some("foreign.pem")),
        (&by_name, "verify-full", Some("system")),
    ] {
        let url = match roots {
            Some("system") => format!("{url}?sslmode={mode}&sslrootcert=system"),
            roots => with(url, mode, roots),
        };
        let error = encrypted(url).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Tls { .. }),
            "{mode} {roots:?}: {error:?}"
        );
        assert!(error.to_string().contains("sslrootcert"), "{error}");
    }
}

#[tokio::test]
async fn a_socket_on_the_same_machine_is_not_encrypted_whatever_is_asked() {
    let (postgres, _files) = server();
    let data = postgres.data();
    let socket = data.parent().unwrap().display();
    let url = |mode: &str| {
        let port = postgres.port();
        format!("postgres://{USER}@/postgres?host={socket}&port={port}&sslmode={mode}")
    };
    for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        let connected = connect(&url(mode)).await;
        assert!(connected.is_ok(), "{mode}: {:?}", connected.err());
    }
    // Beside a host by name, too.
    let both = |mode: &str| {
        let port = postgres.port();
        format!("postgres://{USER}@127.0.0.1:1/postgres?host={socket}&port={port}&sslmode={mode}")
    };
    for mode in ["prefer", "require"] {
        let connected = connect(&both(mode)).await;
        assert!(connected.is_ok(), "{mode}: {:?}", connected.err());
    }
}
