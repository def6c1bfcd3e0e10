//! The example for PostgreSQL on a real one, and what the guide says of its roles and copies: the commands are taken from where people
//! read them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::{SECRETS, folder, read, set_up, text};
use crate::postgres::{Postgres, SMALL};
use crate::support::{self, Client};

const ADMIN: (&str, &str) = ("postgres", "admin");

/// The example, moved into a folder and onto a private server.
struct Example {
    root: tempfile::TempDir,
    nodes: PathBuf,
    server: Postgres,
}

/// A process that serves; killed when dropped.
struct Node {
    child: Child,
    address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn succeeds(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    text(&output.stdout)
}

impl Example {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let nodes = set_up("postgres", root.path());
        let server = Postgres::start(&[SMALL]).unwrap();
        let (admin, password) = ADMIN;
        let make = format!("CREATE ROLE {admin} SUPERUSER LOGIN PASSWORD '{password}'");
        server.execute(&make).unwrap();
        let example = Self {
            root,
            nodes,
            server,
        };
        // The private server's own superuser has a name that the example wants.
        example.sql("postgres", "ALTER ROLE carnet RENAME TO bootstrap");
        let mut init = example.client("sh");
        init.arg(folder().join("postgres/init.sh"));
        init.env("SECRETS", example.root.path().join("postgres"));
        succeeds(&mut init);
        let port = example.server.port();
        let tls = format!("sslmode=verify-full&sslrootcert={SECRETS}/ca.pem");
        for name in ["CARNET__STORE__URL", "CARNET__SOURCE"] {
            let text = fs::read_to_string(example.nodes.join(name)).unwrap();
            assert!(text.contains(&tls), "{name}");
            let here = text
                .replace("postgres:5432", &format!("127.0.0.1:{port}"))
                .replace(&tls, "sslmode=disable");
            fs::write(example.nodes.join(name), here).unwrap();
        }
        example
    }

    /// A command that finds the server as its superuser.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", ADMIN.0)
            .env("PGPASSWORD", ADMIN.1);
        command
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.client("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        succeeds(psql.args(["-d", database, "-c", sql]))
    }

    /// The configuration of a node of this name.
    fn config(&self, node: &str) -> PathBuf {
        let here = |path: &str| self.root.path().join(path).display().to_string();
        let text = read("postgres/carnet.toml")
            .replace("metrics_listen = \"0.0.0.0:9464\"", "")
            .replace("0.0.0.0:8080", "127.0.0.1:0")
            .replace(SECRETS, self.nodes.to_str().unwrap())
            .replace("/var/lib/carnet-artifacts", &here("artifacts"))
            .replace("/var/lib/carnet", &here(node));
        let config = self.root.path().join(format!("{node}.toml"));
        fs::write(&config, text).unwrap();
        config
    }

    fn carnet(&self, config: &Path) -> Command {
        let mut command = Command::new(support::program());
        command.env("CARNET_SECRETS", &self.nodes);
        command.stderr(Stdio::inherit());
        command.current_dir(config.parent().unwrap());
        command
    }

    fn start(&self, node: &str) -> Node {
        let config = self.config(node);
        let mut serve = self.carnet(&config);
        serve.args(["serve", "--config"]).arg(&config);
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("carnet serves ");
        let address = address.unwrap_or_else(|| panic!("{node} doesn't serve: {line}"));
        Node {
            address: address.to_owned(),
            child,
        }
    }

    fn ada(&self, node: &Node) -> Client {
        let config = self.config("token");
        let mut token = self.carnet(&config);
        token.args(["token", "--config"]).arg(&config);
        token.args([
            "--tenant",
            "acme",
            "--user",
            "ada",
            "--role",
            "client_admin",
        ]);
        Client::new(&node.address, succeeds(&mut token).trim())
    }
}

/// The commands of the guide between two lines that begin like this.
fn guide(from: &str, to: &str) -> String {
    let guide = read("../OPERATIONS.md");
    let lines = guide.lines().skip_while(|line| !line.starts_with(from));
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with(to)).collect();
    assert!(!lines.is_empty(), "the guide has no {from:?}");
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_the_example_share_a_postgresql_with_the_rights_that_the_guide_gives_them() {
    let example = Example::new();
    let (one, two) = (example.start("carnet-1"), example.start("carnet-2"));
    let made = example.ada(&one).export(&["users"]).await;
    assert_eq!(made["status"], "completed", "{made}");
    let id = made["id"].as_str().unwrap();
    let other = example.ada(&two);
    let list = other.get("/api/account-exports").await.expect(200).json();
    assert_eq!(list["items"][0]["id"], id, "{list}");
    let file = other.download(id, &[]).await.expect(200).json();
    assert_eq!(file["data"]["users"].as_array().map(Vec::len), Some(1000));
    drop((one, two));

    // The role with less, as the guide makes it.
    let grants = guide("CREATE ROLE carnet_node", "```").replace('…', "less");
    example.sql("carnet", &grants);
    let url = format!(
        "postgres://carnet_node:less@127.0.0.1:{}/carnet?sslmode=disable",
        example.server.port()
    );
    fs::write(example.nodes.join("CARNET__STORE__URL"), url).unwrap();
    let node = example.start("carnet-1");
    let made = example.ada(&node).export(&["users"]).await;
    assert_eq!(made["status"], "completed", "{made}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_as_the_guide_says_is_served_from() {
    let example = Example::new();
    let node = example.start("carnet-1");
    let made = example.ada(&node).export(&["users"]).await;
    let id = made["id"].as_str().unwrap();
    drop(node);

    let commands = guide("pg_dump --format", "```");
    let mut copy = example.client("sh");
    copy.args(["-euc", &commands])
        .current_dir(example.root.path());
    copy.env("URL", "postgresql:///carnet");
    succeeds(&mut copy);
    let file = example.nodes.join("CARNET__STORE__URL");
    let url = fs::read_to_string(&file).unwrap();
    assert!(url.contains("/carnet?"));
    fs::write(&file, url.replace("/carnet?", "/carnet_restored?")).unwrap();
    let node = example.start("carnet-2");
    let ada = example.ada(&node);
    ada.download(id, &[]).await.expect(200);
    assert_eq!(ada.export(&["users"]).await["status"], "completed");
    let refused = "UPDATE carnet.events SET data = ''";
    let output = example
        .client("psql")
        .args(["-d", "carnet_restored", "-c", refused])
        .output();
    assert!(
        !output.unwrap().status.success(),
        "the copy lost its guards"
    );
}
