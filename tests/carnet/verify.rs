//! `carnet verify FILE`: what a reviewer runs on a file received, on any machine, without access to the service.

use std::fs;

use serde_json::Value;

use crate::support::{Server, Site};

#[tokio::test]
async fn every_form_of_a_file_verifies_and_no_changed_one_does() {
    let site = Site::new(30);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let verify = |name: &str, content: &[u8]| {
        fs::write(site.path().join(name), content).unwrap();
        let output = site.carnet(&["verify", name, "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), said)
    };
    for compression in ["gzip", "zstd", "none"] {
        let body = serde_json::json!({"categories": ["users"], "compression": compression});
        let job = ada
            .post("/api/account-exports", body)
            .await
            .expect(202)
            .json();
        let id = job["id"].as_str().unwrap();
        ada.settled(id).await;
        let path = format!("/api/account-exports/{id}/download?as=stored");
        let stored = ada.get(&path).await.expect(200).body;
        let (status, said) = verify("whole", &stored);
        assert_eq!(status, Some(0), "{compression}: {said}");
        assert!(said.to_string().contains(id), "{said}");

        let cut = &stored[..stored.len() - 1];
        assert_eq!(verify("cut", cut).0, Some(1), "{compression}");
        let longer = [&stored[..], b" "].concat();
        assert_eq!(verify("longer", &longer).0, Some(1), "{compression}");
        let twice = [&stored[..], &stored[..]].concat();
        assert_eq!(verify("twice", &twice).0, Some(1), "{compression}");
        for at in (0..stored.len()).step_by(stored.len() / 7) {
            let mut changed = stored.clone();
            changed[at] ^= 0x20;
            let (status, said) = verify("changed", &changed);
            assert_ne!(status, Some(0), "{compression}, byte {at}: {said}");
        }
    }
    assert_eq!(site.carnet(&["verify", "missing"]).status.code(), Some(2));
}
