#![allow(clippy::unwrap_used, reason = "tests")]

use carnet_events::store::memory::MemoryStore;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct Given {
    keys: Arc<KeyRing>,
    store: Arc<dyn EventStore>,
    sessions: Sessions,
}

impl Given {
    fn new() -> Self {
        let keys = Arc::new(KeyRing::ephemeral().unwrap());
        let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
        let sessions = sessions(&keys, &store, Way::Demo);
        Self {
            keys,
            store,
            sessions,
        }
    }

    async fn start(&self) -> (Session, String) {
        let started = self.sessions.start(SignInBy::Demo, ada(), p(), None, BEGIN);
        started.await.unwrap()
    }

    async fn resume(&self, cookie: &str, now: Timestamp) -> Option<Resumed> {
        resume(&self.sessions, cookie, true, now).await
    }
}

async fn resume(
    sessions: &Sessions,
    cookie: &str,
    as_use: bool,
    now: Timestamp,
) -> Option<Resumed> {
    match sessions.resume(cookie, as_use, now).await.unwrap() {
        Resumption::Good(resumed) => Some(resumed),
        Resumption::None | Resumption::Refused(_) => None,
    }
}

/// A node: what it shares with others are keys and log.
fn sessions(keys: &Arc<KeyRing>, store: &Arc<dyn EventStore>, way: Way) -> Sessions {
    let lifetime = config::Session::default();
    Sessions::new(Arc::clone(keys), Arc::clone(store), lifetime, way)
}

fn p() -> PrincipalId {
    PrincipalId::new("p-1").unwrap()
}

fn ada() -> Identity {
    Identity {
        subject: "ada".to_owned(),
        tenant: Some(TenantId::new("acme").unwrap()),
        roles: vec!["client_admin".to_owned()],
        permissions: vec!["exports:users".to_owned()],
    }
}

#[tokio::test]
async fn a_session_speaks_for_its_person() {
    let given = Given::new();
    let (session, cookie) = given.start().await;
    let resumed = given.resume(&cookie, BEGIN).await.unwrap();
    let caller = resumed.caller;
    assert_eq!(caller.subject, "ada");
    assert!(caller.has_role("client_admin") && caller.has_permission("exports:users"));
    assert_eq!(caller.session, Some(session.key()));
    assert_eq!(caller.expires_at, BEGIN.plus(30 * MINUTE));
    assert_eq!(resumed.cookie, None);
    assert!(!cookie.contains("ada"));
}

#[tokio::test]
async fn every_sign_in_has_an_id_and_a_form_token_of_its_own() {
    let given = Given::new();
    let ((one, _), (other, _)) = (given.start().await, given.start().await);
    assert_ne!(one.key().id, other.key().id);
    let caller = given.sessions.caller(&one);
    let token = caller.csrf().unwrap();
    assert!(given.sessions.is_form_token(one.key(), token));
    assert!(!given.sessions.is_form_token(other.key(), token));
    let flipped = token.replace(&token[token.len() - 1..], "g");
    for wrong in ["", ".", "x.y", &token[1..], &flipped, &"a".repeat(500)] {
        assert!(!given.sessions.is_form_token(one.key(), wrong), "{wrong}");
    }
}

#[tokio::test]
async fn it_ends_when_it_is_idle() {
    let given = Given::new();
    let (_, cookie) = given.start().await;
    let last = BEGIN.plus(30 * MINUTE);
    assert!(given.resume(&cookie, last.minus(MINUTE)).await.is_some());
    assert!(given.resume(&cookie, last).await.is_none());
}

#[tokio::test]
async fn use_prolongs_it_but_not_beyond_its_absolute_end() {
    let given = Given::new();
    let (_, mut cookie) = given.start().await;
    let end = BEGIN.plus(12 * 60 * MINUTE);
    let mut now = BEGIN;
    loop {
        now = now.plus(20 * MINUTE);
        let Some(resumed) = given.resume(&cookie, now).await else {
            break;
        };
        assert!(resumed.caller.expires_at <= end);
        cookie = resumed.cookie.unwrap();
    }
    assert_eq!(now, end);
}

#[tokio::test]
async fn a_stream_that_comes_back_by_itself_prolongs_nothing() {
    let given = Given::new();
    let (_, cookie) = given.start().await;
    let later = BEGIN.plus(20 * MINUTE);
    let resumed = resume(&given.sessions, &cookie, false, later)
        .await
        .unwrap();
    assert_eq!(resumed.cookie, None);
    assert_eq!(resumed.caller.expires_at, BEGIN.plus(30 * MINUTE));
}

#[tokio::test]
async fn ended_is_ended_on_every_node_at_once() {
    let given = Given::new();
    let other_node = sessions(&given.keys, &given.store, Way::Demo);
    let (session, cookie) = given.start().await;
    let (_, untouched) = given.start().await;
    assert!(resume(&other_node, &cookie, true, BEGIN).await.is_some());
    for _ in 0..2 {
        let ended = given
            .sessions
            .end(&session, p(), EndCause::SignedOut, BEGIN);
        ended.await.unwrap();
    }
    for node in [&given.sessions, &other_node] {
        assert!(resume(node, &cookie, true, BEGIN).await.is_none());
        assert!(resume(node, &untouched, true, BEGIN).await.is_some());
    }
}

#[tokio::test]
async fn only_untouched_cookies_of_this_service_are_taken() {
    let given = Given::new();
    let (_, cookie) = given.start().await;
    for at in 0..cookie.len() {
        let mut other = cookie.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(given.resume(&other, BEGIN).await.is_none(), "byte {at}");
    }
    let foreign = Given::new();
    assert!(foreign.resume(&cookie, BEGIN).await.is_none());
}

#[tokio::test]
async fn a_session_of_the_demo_is_none_elsewhere() {
    let given = Given::new();
    let (_, cookie) = given.start().await;
    let in_earnest = sessions(&given.keys, &given.store, Way::Closed);
    assert!(resume(&in_earnest, &cookie, true, BEGIN).await.is_none());
}

#[tokio::test]
async fn what_does_not_fit_into_a_cookie_is_refused() {
    let given = Given::new();
    let who = Identity {
        permissions: (0..200).map(|n| format!("exports:category-{n}")).collect(),
        ..ada()
    };
    let started = given
        .sessions
        .start(SignInBy::Demo, who, p(), None, BEGIN)
        .await;
    assert!(matches!(started, Err(SessionError::TooLarge)));
}

#[tokio::test]
async fn days_that_are_long_past_are_forgotten_and_read_again() {
    let given = Given::new();
    let mut ended = Vec::new();
    for day in 0..40 {
        let at = BEGIN.plus(day * 24 * 60 * MINUTE);
        let started = given
            .sessions
            .start(SignInBy::Demo, ada(), p(), None, at)
            .await;
        let (session, _) = started.unwrap();
        let end = given.sessions.end(&session, p(), EndCause::SignedOut, at);
        end.await.unwrap();
        ended.push(session.key());
    }
    for key in ended.iter().chain(ended.iter().rev()) {
        assert!(given.sessions.is_over(*key).await.unwrap());
    }
}

#[tokio::test]
async fn a_flood_of_ends_is_read_instead_of_kept() {
    let mut given = Given::new();
    given.sessions.ended = Ended::keeping(3);
    let (_, untouched) = given.start().await;
    let (mut ended, mut is_over) = (Vec::new(), 0);
    for _ in 0..10 {
        let (session, cookie) = given.start().await;
        let end = given
            .sessions
            .end(&session, p(), EndCause::SignedOut, BEGIN);
        end.await.unwrap();
        ended.push(cookie);
        for cookie in &ended {
            is_over += usize::from(given.resume(cookie, BEGIN).await.is_none());
        }
        assert!(given.resume(&untouched, BEGIN).await.is_some());
        assert!(given.sessions.ended.kept() <= 3);
    }
    assert_eq!(is_over, 55, "each was over from its end on");
}
