//! A configuration that can't work is refused at start, with file, key and remedy.

use crate::support::{Server, Site};

/// Starts the service on a changed configuration and gives what it said before it ended.
fn refused(from: &str, to: &str) -> String {
    let site = Site::new(1);
    site.edit_config(from, to);
    match Server::try_start(&site) {
        Ok(_) => panic!("started with {to:?}"),
        Err(said) => {
            assert!(said.contains("carnet.toml"), "names no file: {said}");
            assert!(
                !site.path().join("data/events.db").exists(),
                "wrote before it refused: {said}"
            );
            said
        }
    }
}

#[test]
fn what_cannot_work_is_refused_at_start() {
    for (from, to, key, remedy) in [
        (
            "lease = \"3s\"",
            "lease = \"3s\"\nleese = 1",
            "workers.leese",
            "did you mean `lease`?",
        ),
        (
            "lease = \"3s\"",
            "lease = \"1h\"",
            "workers.lease",
            "set it between",
        ),
        (
            "where tenant_id = :tenant",
            "where tenant_id = 'acme'",
            "query",
            ":tenant",
        ),
        (
            "url = \"sqlite:tenants.db\"",
            "url = \"sqlite:none.db\"",
            "source.0.url",
            "exists",
        ),
        (
            "url = \"file:data/artifacts\"",
            "url = \"file:tenants.db/x\"",
            "artifacts.url",
            "directory",
        ),
        (
            "rule = \"drop\"",
            "rule = \"dropp\"",
            "rule",
            "did you mean `drop`?",
        ),
    ] {
        let said = refused(from, to);
        assert!(
            said.contains(key) && said.contains(remedy),
            "{to:?}: {said}"
        );
    }
}
