//! Reading file and environment into a [`Config`], and saying well what can't be read.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use figment::error::{Actual, Kind};
use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::error::{Complaint, Complaints, ConfigError};
use super::{Config, paths, shape};

/// What every overriding variable begins with.
pub(super) const PREFIX: &str = "CARNET__";

/// A configuration file is small; a larger one is some other file.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

type Variables = Vec<(OsString, OsString)>;

pub(super) fn from_file(
    file: &Path,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let shown = file.display().to_string();
    let refuse = |problem: String, remedy: &str| {
        ConfigError::from(Complaint {
            file: shown.clone(),
            key: String::new(),
            problem,
            remedy: remedy.to_owned(),
        })
    };
    let absolute = std::path::absolute(file).map_err(|e| refuse(e.to_string(), "name a file"))?;
    let unreadable = |e: std::io::Error| {
        refuse(
            format!("can't be read: {e}"),
            "name a configuration file that exists and may be read; `carnet config print --default` writes one",
        )
    };
    if std::fs::metadata(&absolute).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(refuse(
            "is larger than 4 MiB".to_owned(),
            "name a configuration file",
        ));
    }
    let text = std::fs::read_to_string(&absolute).map_err(unreadable)?;
    let mut config = from_text(&text, &shown, env)?;
    let base = absolute.parent().unwrap_or(Path::new("/")).to_owned();
    paths::make_absolute(&mut config, &base);
    config.file = absolute;
    Ok(config)
}

/// Reads and checks; leaves paths as they stand.
pub(super) fn from_text(
    text: &str,
    file: &str,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigError> {
    let toml = Toml::string(text);
    let named = Figment::from(Named {
        inner: toml,
        file: file.to_owned(),
    });
    let mut environment = Environment {
        // What can't be read is told of when it is extracted.
        known: named.extract().unwrap_or_default(),
        variables: env.into_iter().collect(),
        texts: BTreeSet::new(),
    };
    let (figment, config) = loop {
        let figment = named.clone().merge(&environment);
        match figment.extract::<Config>() {
            Ok(config) => break (figment, config),
            Err(error) if environment.meant_text(&error) => {}
            Err(error) => {
                let complaints = error.into_iter().map(|e| explain(e, file)).collect();
                return Err(ConfigError { complaints });
            }
        }
    };
    let source_of = |key: &str| source_of(&figment, key, file);
    let mut at = Complaints::new(&source_of);
    if let (Ok(written), Ok(read)) = (figment.extract(), serde_json::to_value(&config)) {
        shape::check(&written, &read, "", &mut at);
    }
    config.check(&mut at);
    at.finish()?;
    Ok(config)
}

/// The file or variable that set `key`, or set what it stands in.
fn source_of(figment: &Figment, key: &str, file: &str) -> String {
    let mut path = key;
    loop {
        if let Some(metadata) = figment.find_metadata(path) {
            return shown(metadata, key, file);
        }
        match path.rsplit_once('.') {
            Some((parent, _)) => path = parent,
            None => return file.to_owned(),
        }
    }
}

fn shown(metadata: &Metadata, key: &str, file: &str) -> String {
    if metadata.name == ENVIRONMENT {
        format!(
            "environment variable {PREFIX}{}",
            key.to_ascii_uppercase().replace('.', "__")
        )
    } else {
        file.to_owned()
    }
}

fn explain(error: figment::Error, file: &str) -> Complaint {
    let key = error.path.join(".");
    let source = error
        .metadata
        .as_ref()
        .map_or_else(|| file.to_owned(), |m| shown(m, &key, file));
    let (problem, remedy) = match &error.kind {
        Kind::UnknownField(name, known) => (
            format!("{name:?} is not a known key"),
            known_names(name, known),
        ),
        Kind::UnknownVariant(name, known) => (
            format!("{name:?} is not a known value"),
            known_names(name, known),
        ),
        Kind::MissingField(name) => (
            format!("the key {name:?} is missing"),
            "add it; the default configuration shows its form".to_owned(),
        ),
        // What was found is shown, but never of a secret.
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if is_secret(&key) => {
            ("is of the wrong form".to_owned(), wanted(expected))
        }
        // Text may be a whole section with passwords in it, where only one value was meant.
        Kind::InvalidType(Actual::Str(_), expected)
        | Kind::InvalidValue(Actual::Str(_), expected) => {
            ("is a text".to_owned(), wanted(expected))
        }
        Kind::InvalidType(found, expected) => (format!("is {found}"), wanted(expected)),
        Kind::InvalidValue(found, expected) => (format!("is {found}"), wanted(expected)),
        Kind::InvalidLength(found, expected) => (format!("has {found} members"), wanted(expected)),
        Kind::Message(text) => (
            without_quotation(text),
            "see `carnet config print --default` for the form of every key".to_owned(),
        ),
        other => (
            other.to_string(),
            "see `carnet config print --default` for the form of every key".to_owned(),
        ),
    };
    Complaint {
        file: source,
        key,
        problem,
        remedy,
    }
}

/// What to write, in TOML's words: what reads a configuration names the types of this program.
fn wanted(expected: &impl std::fmt::Display) -> String {
    let expected = expected.to_string();
    let most = |most: u64| format!("write a whole number from 0 to {most}");
    match expected.as_str() {
        "u8" => most(u8::MAX.into()),
        "u16" => most(u16::MAX.into()),
        "u32" => most(u32::MAX.into()),
        "u64" | "usize" => "write a whole number".to_owned(),
        "f64" => "write a number".to_owned(),
        "a boolean" => "write `true` or `false`".to_owned(),
        "a string" => "write a text in quotes, as in \"text\"".to_owned(),
        "a sequence" => {
            "write a list, as in [\"one\", \"another\"]; of tables: a section `[[…]]` each"
                .to_owned()
        }
        "a map" => TABLE.to_owned(),
        name if name.starts_with("struct ") => TABLE.to_owned(),
        other => format!("write {other}"),
    }
}

/// What to write where a table is wanted.
pub(super) const TABLE: &str = "write a table with named keys: a section of its own, or `{ key = value }`; `carnet config print --default` shows them";

/// A message without the lines of the file that it quotes, which may hold a secret: where it is, and what is wrong there.
fn without_quotation(text: &str) -> String {
    let is_quoted = |line: &&str| {
        let line = line.trim_start();
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.trim_start().starts_with('|')
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !is_quoted(line) && !line.trim().is_empty())
        .map(str::trim)
        .collect();
    lines.join(": ")
}

/// Whether a key holds a secret.
fn is_secret(key: &str) -> bool {
    key.ends_with("secret") || key.ends_with("secret_access_key")
}

fn known_names(given: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .min_by_key(|name| distance(given, name))
        .filter(|name| distance(given, name) <= 2);
    let all = known.join(", ");
    match near {
        Some(name) => format!("did you mean `{name}`? known here: {all}"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("known here: {all}"),
    }
}

/// Levenshtein's distance, for names a slip away from a known one.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// TOML text that knows the name of the file it came from.
struct Named {
    inner: figment::providers::Data<Toml>,
    file: String,
}

impl Provider for Named {
    fn metadata(&self) -> Metadata {
        Metadata::from("configuration file", Source::File(self.file.clone().into()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        self.inner.data()
    }
}

const ENVIRONMENT: &str = "environment";

/// `CARNET__SECTION__KEY=value`, in any case. A value is read as a TOML value where it looks like one
/// (`2`, `true`, `["a"]`, `{…}`) and as text otherwise; a secret and what names it are always text, and so is what a key of
/// the configuration takes as text.
struct Environment {
    variables: Variables,
    /// The file, whose spelling of sections and keys is meant.
    known: Dict,
    /// Keys whose values are text, whatever they look like.
    texts: BTreeSet<String>,
}

impl Environment {
    /// Whether `error` is about a variable whose value looks like something else but was meant as text; it is from now on.
    fn meant_text(&mut self, error: &figment::Error) -> bool {
        let wants_text = match &error.kind {
            Kind::InvalidType(found, expected) => {
                !matches!(found, Actual::Str(_)) && expected.to_string().contains("string")
            }
            _ => false,
        };
        let is_ours = error
            .metadata
            .as_ref()
            .is_some_and(|m| m.name == ENVIRONMENT);
        wants_text && is_ours && self.texts.insert(error.path.join("."))
    }

    /// Where a variable's value goes: names as the file spells them, else in lower case.
    fn path(&self, name: &str) -> Vec<String> {
        let mut known = Some(&self.known);
        let spelled = |name: &str| {
            let names = known.into_iter().flatten();
            let alike = names.filter(|(known, _)| known.eq_ignore_ascii_case(name));
            let found = alike.max_by_key(|(known, _)| *known == name);
            known = found.and_then(|(_, inner)| inner.as_dict());
            found.map_or_else(|| name.to_ascii_lowercase(), |(known, _)| known.clone())
        };
        name.split("__").map(spelled).collect()
    }
}

impl Provider for &Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (name, value) in &self.variables {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                continue;
            };
            let path = self.path(name);
            let key = path.join(".");
            let Some(value) = value.to_str() else {
                return Err(figment::Error::from("is not UTF-8 text".to_owned()).with_path(&key));
            };
            let is_text =
                is_secret(&key) || key.ends_with("access_key_id") || self.texts.contains(&key);
            let value = if is_text {
                Value::from(value)
            } else {
                value
                    .parse()
                    .unwrap_or_else(|never: std::convert::Infallible| match never {})
            };
            insert(&mut root, &path, value);
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn insert(into: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            into.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let entry = into
                .entry(first.clone())
                .or_insert_with(|| Value::from(Dict::new()));
            if !matches!(entry, Value::Dict(..)) {
                *entry = Value::from(Dict::new());
            }
            if let Value::Dict(_, inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}
