//! The examples of a deployment, as far as they can be checked without containers: what `setup.sh` makes is secret and stays, the
//! configurations load with it, and the compose files name nothing that isn't there.

mod on_postgresql;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support;

const EXAMPLES: [&str; 2] = ["postgres", "kurrentdb"];

/// Where the nodes' secrets are mounted.
const SECRETS: &str = "/run/carnet-secrets";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/deploy")
}

fn read(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Makes the secrets of an example below `root`; gives the nodes' directory.
fn set_up(example: &str, root: &Path) -> PathBuf {
    let nodes = root.join("carnet");
    let directories: Vec<PathBuf> = services(example)
        .iter()
        .flat_map(|service| &service.volumes)
        .filter_map(|volume| volume.at.strip_prefix("/secrets/"))
        .map(|name| root.join(name))
        .collect();
    assert!(directories.contains(&nodes), "{directories:?}");
    for directory in &directories {
        fs::create_dir_all(directory).unwrap();
    }
    let arguments = match example {
        "postgres" => ["carnet", "postgres", "proxy"]
            .map(|name| root.join(name))
            .to_vec(),
        _ => vec![root.to_owned()],
    };
    for _again in 0..2 {
        let before = fs::read(nodes.join("keys")).ok();
        let output = Command::new("sh")
            .arg(folder().join(example).join("setup.sh"))
            .args(&arguments)
            .env("CARNET", support::program())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let after = fs::read(nodes.join("keys")).unwrap();
        assert!(before.is_none_or(|before| before == after), "made anew");
    }
    for file in directories
        .iter()
        .flat_map(|one| fs::read_dir(one).unwrap())
    {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} can be read by others", file.path().display());
    }
    nodes
}

/// The configuration as a node reads it, with this machine's path in place of the container's.
fn printed(example: &str) -> Output {
    let root = tempfile::tempdir().unwrap();
    let nodes = set_up(example, root.path());
    let here = |text: &str| text.replace(SECRETS, nodes.to_str().unwrap());
    for file in fs::read_dir(&nodes).unwrap() {
        let path = file.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("CARNET__")
        {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, here(&text)).unwrap();
        }
    }
    let config = root.path().join("carnet.toml");
    fs::write(&config, here(&read(&format!("{example}/carnet.toml")))).unwrap();
    Command::new(support::program())
        .args(["config", "print", "--config"])
        .arg(&config)
        .env("CARNET_SECRETS", &nodes)
        .output()
        .unwrap()
}

#[test]
fn the_configuration_for_postgresql_loads_with_the_secrets_that_were_made() {
    let output = printed("postgres");
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(shown.contains("@postgres:5432/carnet?"), "{shown}");
    assert!(shown.contains("@postgres:5432/crm?"), "{shown}");
    assert!(!shown.contains("carnet_reader:"), "{shown}");
}

#[test]
fn the_configuration_for_kurrentdb_loads_with_the_secrets_that_were_made() {
    let output = printed("kurrentdb");
    let (said, shown) = (text(&output.stderr), text(&output.stdout));
    assert!(output.status.success(), "{said}");
    assert!(
        shown.contains("@kurrentdb-1:2113,kurrentdb-2:2113,kurrentdb-3:2113?"),
        "{shown}"
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A service of a compose file, as far as it matters here.
#[derive(Debug, Default)]
struct Service {
    name: String,
    volumes: Vec<Volume>,
}

/// What is mounted, and where.
#[derive(Debug)]
struct Volume {
    what: String,
    at: String,
}

/// The services, read line by line: the files keep to two spaces a level and to `- WHAT:WHERE[:ro]`.
fn services(example: &str) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    let (mut section, mut key) = (String::new(), String::new());
    for line in read(&format!("{example}/compose.yaml")).lines() {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        assert!(indent.is_multiple_of(2) && !line.contains('\t'), "{line:?}");
        match indent {
            0 => section = text.trim_end_matches(':').to_owned(),
            2 if section == "services" => services.push(Service {
                name: text.trim_end_matches(':').to_owned(),
                ..Service::default()
            }),
            4 => key = text.to_owned(),
            6 if section == "services" && key == "volumes:" => {
                let mount = text.strip_prefix("- ").expect("a list");
                let parts: Vec<&str> = mount.split(':').collect();
                let service = services.last_mut().unwrap();
                service.volumes.push(Volume {
                    what: parts[0].to_owned(),
                    at: parts[1].to_owned(),
                });
            }
            _ => {}
        }
    }
    services
}

/// The names at the second level of a top-level section.
fn names(example: &str, wanted: &str) -> BTreeSet<String> {
    let mut section = "";
    let file = read(&format!("{example}/compose.yaml"));
    let mut names = BTreeSet::new();
    for line in file.lines().filter(|line| !line.trim().starts_with('#')) {
        if !line.starts_with(' ') && !line.is_empty() {
            section = line.trim_end_matches(':');
        } else if section == wanted && line.starts_with("  ") && !line.starts_with("   ") {
            names.insert(line.trim().trim_end_matches(':').to_owned());
        }
    }
    names
}

#[test]
fn what_the_compose_files_mount_is_there_or_declared_and_used() {
    for example in EXAMPLES {
        let declared = names(example, "volumes");
        let mut used = BTreeSet::new();
        for volume in services(example).iter().flat_map(|one| &one.volumes) {
            if volume.what.starts_with('.') {
                let path = folder().join(example).join(&volume.what);
                assert!(path.is_file(), "{example}: {} is not there", volume.what);
            } else {
                assert!(
                    declared.contains(&volume.what),
                    "{example}: {}",
                    volume.what
                );
                used.insert(volume.what.clone());
            }
        }
        assert_eq!(used, declared, "{example}: left: mounted; right: declared");
        let compose = read(&format!("{example}/compose.yaml"));
        for line in compose.lines().filter(|line| line.contains("dockerfile:")) {
            let (_, file) = line.split_once(": ").unwrap();
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file());
        }
        assert!(compose.contains(&format!("carnet:{}\n", env!("CARGO_PKG_VERSION"))));
    }
}

#[test]
fn every_node_has_a_data_directory_of_its_own_and_shares_files_and_secrets() {
    for example in EXAMPLES {
        let services = services(example);
        let nodes: Vec<&Service> = services
            .iter()
            .filter(|service| service.name.starts_with("carnet-"))
            .collect();
        assert_eq!(nodes.len(), 3, "{example}");
        let mounted = |service: &Service, at: &str| {
            let mut found = service.volumes.iter().filter(|volume| volume.at == at);
            found.next().map(|volume| volume.what.clone())
        };
        let all = |at: &str| -> BTreeSet<_> {
            nodes
                .iter()
                .map(|node| mounted(node, at).expect("mounted"))
                .collect()
        };
        assert_eq!(all("/var/lib/carnet").len(), 3, "{example}");
        for shared in [
            "/var/lib/carnet-artifacts",
            SECRETS,
            "/etc/carnet/carnet.toml",
        ] {
            assert_eq!(all(shared).len(), 1, "{example}: {shared}");
        }
        // Whatever a path in the configuration means, it is in something that is mounted.
        let config = read(&format!("{example}/carnet.toml"));
        for line in config.lines().filter(|line| !line.starts_with('#')) {
            let Some((_, path)) = line.split_once("\"/").or(line.split_once(":/")) else {
                continue;
            };
            let path = format!("/{}", path.trim_end_matches('"'));
            let inside = nodes[0]
                .volumes
                .iter()
                .any(|volume| path.starts_with(&volume.at));
            assert!(
                inside || path.starts_with("//"),
                "{example}: {path} is in no volume"
            );
        }
        let proxy = read("haproxy.cfg");
        for node in &nodes {
            let server = format!("server {0} {0}:8080", node.name);
            assert!(proxy.contains(&server), "{example}: {server}");
        }
    }
}

#[test]
fn no_secret_stands_in_the_compose_files() {
    for example in EXAMPLES {
        for line in read(&format!("{example}/compose.yaml")).lines() {
            let Some((name, value)) = line.trim().split_once(": ") else {
                continue;
            };
            let lower = name.to_lowercase();
            let is_secret = ["password", "secret", "token"]
                .iter()
                .any(|word| lower.contains(word));
            assert!(
                !is_secret || value.starts_with("/run/"),
                "{example}: {line}"
            );
        }
    }
}
