//! `carnet operator`: the same acts from the command line, through the running service.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::support::{Server, Site};

const TOKEN_FILE: &str = "operator.token";

/// Runs `carnet operator` as olga, with a token that is signed on the spot.
fn run(site: &Site, server: &Server, arguments: &[&str]) -> Output {
    let common = [
        "--config",
        "carnet.toml",
        "--url",
        server.address(),
        "--as",
        "olga",
    ];
    site.carnet(&[&["operator"], arguments, &common].concat())
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

fn document(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The acts that the help names.
fn acts(site: &Site) -> BTreeSet<String> {
    let help = line(&site.carnet(&["operator", "--help"]));
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let named = listed.take_while(|line| !line.is_empty());
    // What goes on from the line before is indented further.
    let named = named.filter(|line| !line.starts_with("   "));
    let names = named.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| !matches!(*name, "status" | "help"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn every_act_works_from_the_command_line() {
    let site = Site::new(3);
    site.add_slow_category("slow", crate::account_exports::FOREVER);
    site.edit_config("title = \"Users\"", "title = \"Users\"\nmodule = \"core\"");
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    let why = ["--reason", "asked for", "--json"];
    let act = |arguments: &[&str]| document(&run(&site, &server, &[arguments, &why].concat()));
    let job = admin.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    admin.reaches(id, "running").await;
    // Every act that the help lists.
    let mut left = acts(&site);
    let mut check = |arguments: &[&str], kind: &str| {
        let done = act(arguments);
        assert_eq!(done["event"]["type"], kind, "{arguments:?}: {done}");
        left.remove(arguments[0]);
    };
    for (arguments, kind) in [
        (&["pause"][..], "intake_paused"),
        (&["resume"], "intake_resumed"),
        (&["drain"], "drain_started"),
        (&["undrain", "this"], "drain_ended"),
        (&["requeue", id], "requeued"),
        (&["fail", id], "failed"),
        (
            &["exempt", "acme", "--limit", "user", "--user", "ada"],
            "exemption_granted",
        ),
        (
            &[
                "exempt", "acme", "--limit", "tenant", "--count", "3", "--for", "2h",
            ],
            "exemption_granted",
        ),
        (&["close", "acme"], "closed"),
        (&["reopen", "acme"], "reopened"),
        (&["switch-module", "acme", "core", "on"], "module_switched"),
        (&["switch-module", "acme", "core", "off"], "module_switched"),
        (&["cancel-tenant", "acme", "--grace-days", "2"], "cancelled"),
        (&["reactivate", "acme"], "reactivated"),
    ] {
        check(arguments, kind);
    }
    let kept = admin.export(&["tickets"]).await;
    let kept = kept["id"].as_str().unwrap();
    check(&["hold", kept], "held");
    check(&["release-hold", kept], "hold_released");
    assert!(left.is_empty(), "not tried: {left:?}");
    assert_eq!(act(&["reopen", "acme"])["changed"], false);
    let text = line(&run(&site, &server, &["resume", "--reason", "x"]));
    assert_eq!(text, "resume_intake: unchanged, it is so already\n");
    let text = line(&run(&site, &server, &["close", "acme", "--reason", "x"]));
    assert!(text.starts_with("close: recorded as closed "), "{text}");
    let text = line(&run(&site, &server, &["status"]));
    assert!(
        text.contains("intake: open") && text.contains("projection audit_log"),
        "{text}"
    );
    assert!(text.contains("CLOSED since"), "{text}");
    let overview = document(&run(&site, &server, &["status", "--json"]));
    assert_eq!(overview["nodes"][0]["this"], true);

    let text = said(&run(&site, &server, &["fail", id, "--reason", " "]));
    assert!(
        text.contains("`reason` must have 1 to 1000 characters"),
        "{text}"
    );
    let text = said(&run(&site, &server, &["requeue", id, "--reason", "x"]));
    assert!(text.contains("[tenant_closed]"), "{text}");
    let text = said(&run(&site, &server, &["close", "amce", "--reason", "x"]));
    assert!(text.contains("not found"), "{text}");
}

#[tokio::test]
async fn tokens_come_from_a_file_or_the_environment_and_what_is_wrong_is_said() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let address = server.address().to_owned();
    let plain = |more: &[&str]| {
        let status = [
            "operator",
            "status",
            "--config",
            "carnet.toml",
            "--url",
            &address,
        ];
        site.carnet(&[&status, more].concat())
    };
    std::fs::write(
        site.path().join(TOKEN_FILE),
        site.operator_token("olga") + "\n",
    )
    .unwrap();
    line(&plain(&["--token-file", TOKEN_FILE]));
    let elsewhere = ["operator", "status", "--token-file", TOKEN_FILE];
    let missing = ["--config", "nowhere.toml"];
    let named = site.carnet(&[&elsewhere[..], &missing, &["--url", &address]].concat());
    assert!(line(&named).contains("intake: open"));
    let text = said(&site.carnet(&[&elsewhere[..], &missing].concat()));
    assert!(
        text.contains("nowhere.toml") && text.contains("--url"),
        "{text}"
    );
    assert!(said(&plain(&[])).contains("--token-file"));
    assert!(said(&plain(&["--token-file", "nowhere"])).contains("nowhere"));
    std::fs::write(site.path().join(TOKEN_FILE), "nonsense").unwrap();
    assert!(said(&plain(&["--token-file", TOKEN_FILE])).contains("doesn't believe"));
    std::fs::write(site.path().join(TOKEN_FILE), site.token("acme", "ada")).unwrap();
    assert!(said(&plain(&["--token-file", TOKEN_FILE])).contains("not an operator's"));
    let at = [
        "operator",
        "status",
        "--config",
        "carnet.toml",
        "--as",
        "olga",
    ];
    assert!(said(&site.carnet(&at)).contains("--url"));
    drop(server);
    let gone = site.carnet(&[&at[..], &["--url", &address]].concat());
    assert!(said(&gone).contains("is the service running"));
}

#[tokio::test]
async fn projections_are_rebuilt_through_the_running_service_and_without_it() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let admin = server.client(&site.token("acme", "ada"));
    admin.export(&["tickets"]).await;
    let rebuild = [
        "projections",
        "rebuild",
        "exports",
        "audit_log",
        "--config",
        "carnet.toml",
        "--json",
    ];
    assert!(said(&site.carnet(&rebuild)).contains("a running service keeps these projections"));
    let remote = ["--url", server.address(), "--as", "olga"];
    let done = document(&site.carnet(&[&rebuild[..], &remote].concat()));
    assert_eq!(done["rebuilt"].as_array().unwrap().len(), 2);
    assert!(done["events"].as_u64().unwrap() > 0, "{done}");
    let operator = server.client(&site.operator_token("olga"));
    let log = operator
        .get("/api/operator/platform-log")
        .await
        .expect(200)
        .json();
    assert_eq!(log["items"][0]["details"]["projection"], "audit_log");
    assert_eq!(admin.get("/api/account-exports").await.json()["total"], 1);
    assert!(server.stop().0.success());
    let done = document(&site.carnet(&rebuild));
    assert_eq!(done["rebuilt"].as_array().unwrap().len(), 2);
}
