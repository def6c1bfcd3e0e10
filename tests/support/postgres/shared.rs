//! One server for all tests of a run, whether they share a process (`cargo test`) or have one each (nextest).
//!
//! Whoever comes first starts it, under a lock in the target directory. Everybody holds a shared lock for as long as their
//! process lives; a watchdog waits until nobody holds it any more, and stops the server a second later. So nothing is left
//! running, however a run ends. Every test takes a schema or a database of its own there.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::instance::{Server, as_user, program};
use super::{PASSWORD, SMALL, USER};

/// Waits until nobody holds the lock `users`, and still nobody a second later; then stops the server.
const WATCHDOG: &str = r#"
exec </dev/null >/dev/null 2>&1 9>start
while :; do
    flock -x users true
    sleep 1
    flock -x 9
    if flock -n -x users true; then
        "$@" -s -m immediate stop -D data
        rm -rf server
        exit
    fi
    flock -u 9
done
"#;

struct Shared {
    server: Server,
    /// Held until the process ends.
    _users: File,
}

/// Where the shared server's superuser reaches the database `postgres`.
pub fn url() -> String {
    server().url(USER, PASSWORD, "postgres")
}

/// Where somebody else reaches it.
pub fn url_of(user: &str, password: &str) -> String {
    server().url(user, password, "postgres")
}

/// Runs SQL in the database `postgres` and gives what it answers.
pub fn query(sql: &str) -> String {
    server().query("postgres", sql).expect("SQL that works")
}

pub fn port() -> u16 {
    server().port
}

/// The directory of its Unix socket.
pub fn socket() -> &'static Path {
    &server().directory
}

fn server() -> &'static Server {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match attach() {
        Ok(shared) => shared,
        Err(reason) => panic!("no PostgreSQL to test with: {reason}"),
    });
    &shared.server
}

fn attach() -> Result<Shared, String> {
    let text = |error: std::io::Error| error.to_string();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
    std::fs::create_dir_all(&place).map_err(text)?;
    let start = File::create(place.join("start")).map_err(text)?;
    start.lock().map_err(text)?;
    let users = File::create(place.join("users")).map_err(text)?;
    users.lock_shared().map_err(text)?;
    let server = match running(&place) {
        Some(server) => server,
        None => create(&place)?,
    };
    Ok(Shared {
        server,
        _users: users,
    })
}

/// The server that another process has started.
fn running(place: &Path) -> Option<Server> {
    let directory = PathBuf::from(std::fs::read_to_string(place.join("server")).ok()?);
    let pid = std::fs::read_to_string(directory.join("data/postmaster.pid")).ok()?;
    let port = pid.lines().nth(3)?.parse().ok()?;
    std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let root = directory
        .join("password")
        .metadata()
        .is_ok_and(owner_is_root);
    Some(Server {
        directory,
        root,
        port,
    })
}

fn owner_is_root(file: std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(&file) == 0
}

fn create(place: &Path) -> Result<Server, String> {
    let text = |error: std::io::Error| error.to_string();
    // Not in the target directory: the path of a socket must be short, and its user must get there.
    let directory = tempfile::Builder::new()
        .prefix("carnet-postgres-")
        .tempdir()
        .map_err(text)?
        .keep();
    let server = Server::create(&directory, &[SMALL, "max_connections = 400"])?;
    std::fs::write(
        place.join("server"),
        directory.as_os_str().as_encoded_bytes(),
    )
    .map_err(text)?;
    watch(place, &server).map_err(text)?;
    Ok(server)
}

fn watch(place: &Path, server: &Server) -> std::io::Result<()> {
    let stop = as_user(server.root, program("pg_ctl"));
    let script = WATCHDOG
        .replace(" -D data", &format!(" -D '{}'", server.data().display()))
        .replace(
            "rm -rf server",
            &format!("rm -rf server '{}'", server.directory.display()),
        );
    Command::new("setsid")
        .args(["sh", "-c", &script, "watchdog"])
        .arg(stop.get_program())
        .args(stop.get_args())
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}
