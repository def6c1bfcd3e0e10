//! `carnet operator`: what operators do, through the running service.

use carnet_events::ids::{ExportId, Timestamp};
use serde_json::{Value, json};

use super::output::Output;
use super::remote::{Remote, part};
use super::{ConfigFile, Failure, block_on, now};
use crate::config::Span;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Take no more requests, on any node
    Pause(Plain),
    /// Take requests again
    Resume(Plain),
    /// Have a node finish its work and take no more
    Drain(OnNode),
    /// Have a node work again
    Undrain(OnNode),
    /// Begin a running or waiting export anew; admit another in place of a failed one
    Requeue(OnExport),
    /// Fail a queued or running export
    Fail(OnExport),
    /// Keep an export's file from being deleted
    Hold(OnExport),
    /// End a legal hold
    ReleaseHold(OnExport),
    /// Let more requests of a tenant through than a limit
    Exempt(Exempt),
    /// Stop a tenant's exports and downloads
    Close(OnTenant),
    /// Allow a tenant's exports and downloads again
    Reopen(OnTenant),
    /// End a tenant's subscription; exports and downloads go on for the grace window, then it is purged
    CancelTenant(CancelTenant),
    /// Take a tenant's cancellation back within the grace window
    Reactivate(OnTenant),
    /// Switch a module of a tenant on or off, whatever the configuration says
    SwitchModule(SwitchModule),
    /// Show how the service stands
    Status(Status),
}

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    remote: Remote,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Act {
    #[command(flatten)]
    common: Common,
    /// Why: 1 to 1000 characters, kept apart from the log
    #[arg(long)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Plain {
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct OnNode {
    /// The node's id; the one that answers otherwise
    #[arg(default_value = "this")]
    node: String,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct OnExport {
    /// The export's id
    export: ExportId,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct OnTenant {
    /// The tenant's id
    tenant: String,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct CancelTenant {
    /// The tenant's id
    tenant: String,
    /// Days in which exports go on and the tenant can come back, at most 366
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    grace_days: u16,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct SwitchModule {
    /// The tenant's id
    tenant: String,
    /// A module of the catalog
    module: String,
    /// Whether it is on
    #[arg(value_parser = ["on", "off"])]
    to: String,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct Exempt {
    /// The tenant's id
    tenant: String,
    /// Which limit
    #[arg(long, value_parser = ["user", "tenant"])]
    limit: String,
    /// Requests that are let through
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// For how long
    #[arg(long = "for", value_name = "SPAN", default_value = "7d")]
    span: Span,
    /// Until when (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "span")]
    until: Option<Timestamp>,
    /// For the limit `user`: the one person it is for; whoever of the tenant needs it first otherwise
    #[arg(long)]
    user: Option<String>,
    /// The same by the pseudonym in the audit log
    #[arg(long, conflicts_with = "user")]
    principal: Option<String>,
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    let why = |act: &Act| json!({ "reason": act.reason });
    let (act, path, body) = match command {
        Command::Status(args) => return status(&args.common, output),
        Command::Pause(args) => (&args.act, "/intake/pause".to_owned(), why(&args.act)),
        Command::Resume(args) => (&args.act, "/intake/resume".to_owned(), why(&args.act)),
        Command::Drain(args) => on("nodes", &args.node, "drain", &args.act),
        Command::Undrain(args) => on("nodes", &args.node, "undrain", &args.act),
        Command::Requeue(args) => on("exports", &args.export.to_string(), "requeue", &args.act),
        Command::Fail(args) => on("exports", &args.export.to_string(), "fail", &args.act),
        Command::Hold(args) => on("exports", &args.export.to_string(), "hold", &args.act),
        Command::ReleaseHold(args) => on(
            "exports",
            &args.export.to_string(),
            "release-hold",
            &args.act,
        ),
        Command::Close(args) => on("tenants", &args.tenant, "close", &args.act),
        Command::Reopen(args) => on("tenants", &args.tenant, "reopen", &args.act),
        Command::Reactivate(args) => on("tenants", &args.tenant, "reactivate", &args.act),
        Command::CancelTenant(args) => {
            let (act, path, mut body) = on("tenants", &args.tenant, "cancel", &args.act);
            body["grace_days"] = json!(args.grace_days);
            (act, path, body)
        }
        Command::SwitchModule(args) => {
            let verb = format!("modules/{}", part(&args.module));
            let (act, path, mut body) = on("tenants", &args.tenant, &verb, &args.act);
            body["on"] = json!(args.to == "on");
            (act, path, body)
        }
        Command::Exempt(args) => {
            let (act, path, mut body) = on("tenants", &args.tenant, "exemptions", &args.act);
            let until = args.until.unwrap_or_else(|| now().plus(args.span.get()));
            body["limit"] = json!(args.limit);
            body["count"] = json!(args.count);
            body["until"] = json!(until.to_string());
            body["user"] = json!(args.user);
            body["principal"] = json!(args.principal);
            (act, path, body)
        }
    };
    let service = act.common.remote.service(&act.common.config)?;
    let path = format!("/api/operator{path}");
    let done = block_on(async { service.post(&path, &body).await })??;
    if act.common.json {
        return output.json(&done);
    }
    output.line(&told(&done))
}

fn on<'a>(what: &str, which: &str, verb: &str, act: &'a Act) -> (&'a Act, String, Value) {
    let path = format!("/{what}/{}/{verb}", part(which));
    (act, path, json!({ "reason": act.reason }))
}

/// What came of an act, for people.
fn told(done: &Value) -> String {
    let action = done["action"].as_str().unwrap_or_default();
    let event = &done["event"];
    let mut text = match event["type"].as_str() {
        None => format!("{action}: unchanged, it is so already"),
        Some(kind) => format!(
            "{action}: recorded as {kind} {} in {} at {}",
            event["id"].as_str().unwrap_or_default(),
            event["stream"].as_str().unwrap_or_default(),
            event["at"].as_str().unwrap_or_default(),
        ),
    };
    if let Some(export) = done["export_id"].as_str() {
        text.push_str(&format!("; the new export is {export}"));
    }
    text
}

fn status(common: &Common, output: &mut Output) -> Result<(), Failure> {
    let service = common.remote.service(&common.config)?;
    let overview = block_on(async { service.get("/api/operator/overview").await })??;
    if common.json {
        return output.json(&overview);
    }
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let statuses = &overview["statuses"];
    let count = |status: &str| statuses[status].as_u64().unwrap_or(0);
    let intake = match overview["intake_paused"]["at"].as_str() {
        None => "open".to_owned(),
        Some(at) => format!("PAUSED since {at}"),
    };
    output.line(&format!("intake: {intake}"))?;
    output.line(&format!(
        "exports: {} queued, {} running, {} stuck",
        count("queued"),
        count("running"),
        overview["stuck"]["total"].as_u64().unwrap_or(0)
    ))?;
    for one in list(&overview["stuck"]["exports"]) {
        let silent = one["silent_ms"].as_u64().unwrap_or(0) / 1000;
        let (id, tenant) = (text(&one["id"]), text(&one["tenant"]));
        output.line(&format!("  stuck: {id} of {tenant}, silent for {silent} s"))?;
    }
    for node in list(&overview["nodes"]) {
        let draining = match node["draining"]["at"].as_str() {
            None => String::new(),
            Some(at) => format!(", DRAINING since {at}"),
        };
        let running = node["running"].as_u64().unwrap_or(0);
        let (id, version) = (text(&node["id"]), text(&node["version"]));
        output.line(&format!(
            "node {id}: {version}, {running} running{draining}"
        ))?;
    }
    for (name, outcome) in overview["checks"].as_object().into_iter().flatten() {
        output.line(&format!("check {name}: {}", text(outcome)))?;
    }
    for one in list(&overview["projections"]) {
        let (name, state) = (text(&one["name"]), text(&one["state"]));
        let lag = one["lag_ms"].as_u64().unwrap_or(0);
        output.line(&format!("projection {name}: {state}, {lag} ms behind"))?;
    }
    for one in list(&overview["closed_tenants"]) {
        let (tenant, at) = (text(&one["tenant"]), text(&one["at"]));
        output.line(&format!("tenant {tenant}: CLOSED since {at}"))?;
    }
    Ok(())
}
