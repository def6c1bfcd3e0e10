//! `carnet demo`: sample tenants and the service on them; with `--once` one export from request to verified file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use carnet_events::ids::Timestamp;
use serde_json::{Value, json};

use super::output::Output;
use super::serve::serve;
use super::{Failure, now};
use crate::auth::{TokenRequest, sign};
use crate::config::{self, Config, Span, Window};
use crate::demo::{self, PEOPLE, Person};
use crate::export::verify::{Limits, Verdict, verify_file};
use crate::service::{Around, Service};
use crate::telemetry;

/// How long the demo's tokens hold.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 60 * 60);

/// How long `--once` waits for its export.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the demo keeps its data; one that is there is taken up again
    #[arg(long, default_value = "data/demo")]
    dir: PathBuf,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Make one export over HTTP, verify it, print its path and end
    #[arg(long)]
    once: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    output.remark("making two sample tenants …");
    let file = demo::prepare(&args.dir, "127.0.0.1:8080")?;
    let mut config = Config::load(&file)?;
    if let Some(listen) = args.listen {
        config.server.listen = listen;
    } else if args.once {
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    }
    if args.once {
        unlimited(&mut config.limits);
        return once(config, &args.dir, output);
    }
    telemetry::install_log()?;
    let known = config.clone();
    let around = Around {
        demo: true,
        ..Around::default()
    };
    serve(config, around, |address| {
        let text = guide(&known, &file, address)?;
        output.text(&text)
    })
}

/// As often as anybody likes, and beside what a run that was broken off has left: the limits are there to be seen in the
/// demo that stays.
fn unlimited(limits: &mut config::Limits) {
    let window = Window {
        accepted: 10_000,
        window: Span::seconds(1),
    };
    (limits.per_user, limits.per_tenant) = (window, window);
    (limits.active_per_user, limits.active_per_tenant) = (1_000, 1_000);
}

/// What to paste.
fn guide(config: &Config, file: &Path, address: SocketAddr) -> Result<String, Failure> {
    let carnet = std::env::current_exe()?;
    let (carnet, file) = (carnet.display(), file.display());
    let base = format!("http://{address}");
    let port = address.port();
    let open = match address.ip().is_loopback() {
        true => format!("http://localhost:{port}/"),
        false => format!("{base}/"),
    };
    let mut text = format!(
        "Open {open} and choose who you are.\n\ncarnet serves {base}\n\nTokens, good for 12 hours:\n"
    );
    for person in &PEOPLE {
        let token = token(config, person, now())?;
        let tenant = person.tenant.unwrap_or("the platform");
        let article = match person.role.starts_with(['a', 'o']) {
            true => "an",
            false => "a",
        };
        text += &format!(
            "  # {} is {article} {} of {tenant}\n",
            person.user, person.role
        );
        text += &format!("  {}={token}\n", person.user.to_uppercase());
    }
    text += &format!(
        r#"
Try it in another terminal, after pasting the tokens:
  curl -s -H "authorization: Bearer $ADA" {base}/api/account-exports/catalog
  curl -s -H "authorization: Bearer $ADA" -H 'content-type: application/json' \
       -d '{{"categories":["users","configurations","audit_events","support_tickets"]}}' \
       {base}/api/account-exports
  ID=…                      # the answer's id
  curl -s  -H "authorization: Bearer $ADA" {base}/api/account-exports/$ID
  curl -sN -H "authorization: Bearer $ADA" {base}/api/account-exports/$ID/events
  curl -s  -H "authorization: Bearer $ADA" -o export.json.gz "{base}/api/account-exports/$ID/download?as=stored"
  {carnet} verify export.json.gz
  curl -s  -H "authorization: Bearer $IVY" "{base}/api/audit-log?format=csv"
  {carnet} replay --config {file} $ID
  curl -si -H "authorization: Bearer $GUS" {base}/api/account-exports/$ID     # another tenant: not found

API: {base}/docs    Stop: Ctrl-C    Start over: delete {dir}
"#,
        dir = config.file.parent().unwrap_or(Path::new(".")).display(),
    );
    Ok(text)
}

fn token(config: &Config, person: &Person, at: Timestamp) -> Result<String, Failure> {
    let request = TokenRequest {
        tenant: person.tenant.map(str::to_owned),
        user: person.user.to_owned(),
        roles: vec![person.role.to_owned()],
        permissions: person
            .permissions
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        ttl: TOKEN_TTL,
    };
    Ok(sign(&config.auth, &request, at)?)
}

/// One export over HTTP, as a client would make it.
fn once(config: Config, folder: &Path, output: &mut Output) -> Result<(), Failure> {
    let token = PEOPLE.first().map(|person| token(&config, person, now()));
    let token =
        token.unwrap_or_else(|| Err(Failure::Failed("the demo has no people".to_owned())))?;
    let folder = folder.join("exports");
    let (path, job) = actix_web::rt::System::new().block_on(async {
        let service = Service::start(config, Around::default()).await?;
        let client = Client::new(service.address(), token)?;
        let (done, stop) = tokio::sync::oneshot::channel::<()>();
        let serving = actix_web::rt::spawn(service.run(async {
            let _ = stop.await;
        }));
        let exported = export(&client, &folder).await;
        drop(done);
        serving.await??;
        exported
    })?;
    match verify_file(&path, Limits::default(), &mut |_| ()) {
        Ok(Verdict::Intact(_)) => {}
        Ok(Verdict::NotIntact(damage)) => {
            let why = damage.reason;
            return Err(Failure::Failed(format!(
                "{}: not intact: {why}",
                path.display()
            )));
        }
        Err(error) => return Err(Failure::Failed(format!("{}: {error}", path.display()))),
    }
    let rows: u64 = job["artifact"]["rows"]
        .as_object()
        .map_or(0, |rows| rows.values().filter_map(Value::as_u64).sum());
    output.remark(&format!(
        "exported {rows} rows over HTTP, and verified the file: intact"
    ));
    output.line(&path.display().to_string())
}

async fn export(client: &Client, folder: &Path) -> Result<(PathBuf, Value), Failure> {
    let catalog = client.json(reqwest::Method::GET, "/catalog", None).await?;
    let ids: Vec<&Value> = catalog["categories"]
        .as_array()
        .map(|all| all.iter().map(|category| &category["id"]).collect())
        .unwrap_or_default();
    let mut job = client
        .json(
            reqwest::Method::POST,
            "",
            Some(json!({ "categories": ids })),
        )
        .await?;
    let id = job["id"].as_str().unwrap_or_default().to_owned();
    let patience = tokio::time::Instant::now() + PATIENCE;
    while matches!(job["status"].as_str(), Some("queued" | "running")) {
        if tokio::time::Instant::now() > patience {
            return Err(Failure::Failed(format!(
                "the export {id} is not done after a minute"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        job = client
            .json(reqwest::Method::GET, &format!("/{id}"), None)
            .await?;
    }
    if job["status"] != "completed" {
        return Err(Failure::Failed(format!(
            "the export ended as {}: {}",
            job["status"], job["reason"]
        )));
    }
    let bytes = client.bytes(&format!("/{id}/download?as=stored")).await?;
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{id}.json.gz"));
    std::fs::write(&path, bytes)?;
    Ok((path, job))
}

/// A caller of the service that this process serves.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    fn new(address: SocketAddr, token: String) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self {
            http,
            base: format!("http://{address}/api/account-exports"),
            token,
        })
    }

    async fn json(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.bearer_auth(&self.token).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        if status.is_success() {
            return Ok(body);
        }
        let said = body["detail"].as_str().unwrap_or("no reason was given");
        Err(Failure::Failed(format!(
            "the service answered {status}: {said}"
        )))
    }

    async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        Ok(request
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await?
            .to_vec())
    }
}
