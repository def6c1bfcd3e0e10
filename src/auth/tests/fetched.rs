//! Keys that the issuer publishes at an address.

use std::io::{Read as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::source::UrlSource;
use super::*;

/// A key server: answers every connection with what `body` holds now, and counts.
fn serve(body: Arc<Mutex<String>>, hits: Arc<AtomicUsize>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            hits.fetch_add(1, Ordering::SeqCst);
            let body = body.lock().unwrap().clone();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    format!("http://{address}/jwks")
}

/// A verifier with the keys of a server, which may be asked again after `interval`.
fn url_verifier(url: String, interval: Duration) -> Verifier {
    let source = UrlSource::with_interval(url, Duration::from_secs(600), interval).unwrap();
    Verifier::with_source(&auth(), KeySource::Url(Arc::new(source)))
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_guesses_fetch_no_more() {
    let (old, new) = (
        Issuer::new("a", Algorithm::ES256),
        Issuer::new("b", Algorithm::ES256),
    );
    let (body, hits) = (
        Arc::new(Mutex::new(set(&[&old]))),
        Arc::new(AtomicUsize::new(0)),
    );
    let url = serve(Arc::clone(&body), Arc::clone(&hits));
    let verifier = url_verifier(url, Duration::from_secs(3_600));
    assert!(verifier.problem().is_some());

    let token = old.token(Some("a"));
    let racers = (0..32).map(|_| verifier.verify(&token, NOW));
    assert!(
        futures::future::join_all(racers)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(hits.load(Ordering::SeqCst), 1, "one flight for all");
    assert!(verifier.problem().is_none());

    // However soon after that.
    *body.lock().unwrap() = set(&[&new]);
    assert!(verifier.verify(&new.token(Some("b")), NOW).await.is_ok());
    assert_eq!(hits.load(Ordering::SeqCst), 2);
    assert!(
        verifier.verify(&token, NOW).await.is_err(),
        "the old key's tokens ended with it"
    );

    for n in 0..50 {
        let guess = old.token(Some(&format!("guess-{n}")));
        assert_eq!(
            verifier.verify(&guess, NOW).await.unwrap_err(),
            AuthError::UnknownKey
        );
    }
    let flown = hits.load(Ordering::SeqCst);
    assert_eq!(flown, 3, "unknown key ids don't hammer");
}

#[tokio::test]
async fn a_failed_fetch_keeps_the_keys() {
    let issuer = Issuer::new("a", Algorithm::ES256);
    let (body, hits) = (Arc::new(Mutex::new(set(&[&issuer]))), Arc::default());
    let url = serve(Arc::clone(&body), Arc::clone(&hits));
    let verifier = url_verifier(url, Duration::from_secs(3_600));
    let token = issuer.token(Some("a"));
    assert!(verifier.verify(&token, NOW).await.is_ok());
    *body.lock().unwrap() = "x".repeat(2 * 1024 * 1024);
    let unknown = issuer.token(Some("c"));
    assert!(verifier.verify(&unknown, NOW).await.is_err());
    assert_eq!(hits.load(Ordering::SeqCst), 2);
    assert!(verifier.verify(&token, NOW).await.is_ok());
}
