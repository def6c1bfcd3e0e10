//! The artifact's form: `{"data":{"<category>":[<row>,…],…},"manifest":{…}}`, and what its manifest claims.

use std::io::Read;

use aws_lc_rs::digest::Context;
use carnet_events::ids::Digest;

use super::canonical::Checker;
use super::input::Input;
use super::source::Source;
use super::{Checked, Finding, Limits, Reason, Stop, Summary, Within};
use crate::export::artifact::Manifest;
use crate::export::artifact::blocks::finished;
use crate::export::artifact::manifest::ARTIFACT_VERSION;

/// What a job may be.
const KINDS: [&str; 3] = ["account", "snapshot", "subject"];

/// Rows by category, in the document's order.
type Rows = Vec<(String, u64)>;

/// Checks a whole file.
pub(super) fn check(
    file: Box<dyn Read + Send>,
    limits: Limits,
    progress: &mut dyn FnMut(u64),
) -> Checked<Summary> {
    let source = Source::start(file, limits)?;
    let mut checker = Checker::new(Input::new(source, progress), limits);
    checker.literal(b"{")?;
    form(
        &mut checker,
        b"\"data\":{",
        "it doesn't begin with its data",
    )?;
    let rows = data(&mut checker, limits)?;
    form(
        &mut checker,
        b",\"manifest\":",
        "its data isn't followed by its manifest",
    )?;
    let offset = checker.input.offset();
    let before = checker.input.begin_keeping(limits.manifest_bytes)?;
    if checker.input.peek()?.is_some_and(|byte| byte != b'{') {
        return Err(checker
            .input
            .found(Reason::Form("its manifest isn't an object")));
    }
    checker.value(1)?;
    let manifest = checker.input.end_keeping()?;
    form(&mut checker, b"}", "something follows its manifest")?;
    let json_bytes = checker.input.offset();
    let stored = checker.input.end()?;

    let found = |reason| {
        Stop::Found(Finding {
            reason,
            offset,
            within: Within::Document,
        })
    };
    let read = read_manifest(&manifest).map_err(found)?;
    let checksum = checksum(&before, &read, &manifest).map_err(found)?;
    compare(&rows, &read).map_err(found)?;
    Ok(Summary {
        compression: stored.compression,
        stored_bytes: stored.bytes,
        stored_sha256: stored.sha256,
        json_bytes,
        json_sha256: closed(before, &manifest),
        checksum,
        manifest: read,
    })
}

/// Passes over `literal`, or says what of the artifact's form is missing.
fn form(checker: &mut Checker<'_>, literal: &[u8], what: &'static str) -> Checked<()> {
    match checker.literal(literal) {
        Err(Stop::Found(Finding {
            reason: Reason::NotCanonical(_),
            ..
        })) => Err(checker.input.found(Reason::Form(what))),
        other => other,
    }
}

fn data(checker: &mut Checker<'_>, limits: Limits) -> Checked<Rows> {
    let mut rows = Rows::new();
    if checker.input.eat(b"}")? {
        return Ok(rows);
    }
    let mut last = checker.open_keys();
    loop {
        let category = String::from_utf8_lossy(checker.key(&mut last)?).into_owned();
        form(checker, b"[", "a category isn't an array")?;
        rows.push((category, category_rows(checker)?));
        if rows.len() > limits.categories {
            return Err(checker
                .input
                .found(Reason::Limit("there are too many categories")));
        }
        if !checker.another(b'}')? {
            checker.close_keys(last);
            return Ok(rows);
        }
    }
}

fn category_rows(checker: &mut Checker<'_>) -> Checked<u64> {
    let mut rows = 0;
    if checker.input.eat(b"]")? {
        return Ok(rows);
    }
    loop {
        if checker.input.peek()?.is_some_and(|byte| byte != b'{') {
            return Err(checker.input.found(Reason::Form("a row isn't an object")));
        }
        checker.value(3)?;
        rows += 1;
        if !checker.another(b']')? {
            return Ok(rows);
        }
    }
}

fn read_manifest(manifest: &[u8]) -> Result<Manifest, Reason> {
    let read: Manifest =
        serde_json::from_slice(manifest).map_err(|error| Reason::Manifest(error.to_string()))?;
    if read.carnet != ARTIFACT_VERSION {
        return Err(Reason::Manifest(format!(
            "it is of version {}, this build knows {ARTIFACT_VERSION}",
            read.carnet
        )));
    }
    if !KINDS.contains(&read.kind.as_str()) {
        let (kind, kinds) = (&read.kind, KINDS.join(", "));
        return Err(Reason::Manifest(format!(
            "its kind is {kind:?}, there are {kinds}"
        )));
    }
    if read.attempt == 0 {
        return Err(Reason::Manifest(
            "its attempt is 0, the first is 1".to_owned(),
        ));
    }
    // Reading is more tolerant than writing; the checksum is taken over what would be written.
    match read.to_canonical() {
        Ok(written) if written == manifest => Ok(read),
        Ok(_) | Err(_) => Err(Reason::Manifest(
            "it is not as it would be written".to_owned(),
        )),
    }
}

fn checksum(before: &Context, manifest: &Manifest, written: &[u8]) -> Result<Digest, Reason> {
    let blanked = manifest
        .blanked()
        .to_canonical()
        .unwrap_or_else(|_| written.to_vec());
    let computed = closed(before.clone(), &blanked);
    if manifest.checksum == Some(computed) {
        return Ok(computed);
    }
    Err(Reason::Checksum {
        computed,
        claimed: manifest
            .checksum
            .map_or_else(String::new, |claimed| claimed.to_string()),
    })
}

/// The digest of the document that ends with this manifest.
fn closed(mut before: Context, manifest: &[u8]) -> Digest {
    before.update(manifest);
    before.update(b"}");
    finished(before)
}

fn compare(rows: &Rows, manifest: &Manifest) -> Result<(), Reason> {
    if !rows
        .iter()
        .map(|(category, _)| category.as_str())
        .eq(manifest.categories.keys().map(|key| key.as_str()))
    {
        return Err(Reason::Categories);
    }
    for ((category, found), counted) in rows.iter().zip(manifest.categories.values()) {
        if *found != counted.rows {
            return Err(Reason::Rows {
                category: category.clone(),
                found: *found,
                counted: counted.rows,
            });
        }
    }
    Ok(())
}
