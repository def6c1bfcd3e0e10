//! `carnet verify`: whether a received file is whole and unchanged, without access to any service.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Failure;
use super::output::Output;
use crate::export::verify::{Finding, Limits, Summary, Verdict, Within, verify_file};

/// Exit codes: 0 intact, 1 not intact, 2 could not check.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file, as downloaded: .json, .json.gz or .json.zst
    file: PathBuf,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// The file may be intact or not; it couldn't be read.
const NOT_CHECKED: u8 = 2;
const NOT_INTACT: u8 = 1;

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let length = std::fs::metadata(&args.file)
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|m| m.len());
    let bar = output.bytes_bar(length);
    let verdict = verify_file(&args.file, Limits::default(), &mut |progress| {
        bar.set_position(progress.read)
    });
    bar.finish_and_clear();
    let file = args.file.display().to_string();
    match verdict {
        Ok(Verdict::Intact(summary)) => {
            if args.json {
                output.json(&intact(&file, &summary))
            } else {
                describe(&file, &summary, output)
            }
        }
        Ok(Verdict::NotIntact(finding)) => {
            if args.json {
                output.json(&not_intact(&file, &finding))?;
            } else {
                output.line(&format!("{file}: NOT intact: {finding}"))?;
            }
            Err(Failure::Said(NOT_INTACT))
        }
        Err(error) => {
            if args.json {
                output.json(
                    &json!({"file": file, "verdict": "not_checked", "error": error.to_string()}),
                )?;
            } else {
                output.complain(&format!("{file}: could not be checked: {error}"));
            }
            Err(Failure::Said(NOT_CHECKED))
        }
    }
}

fn describe(file: &str, summary: &Summary, output: &mut Output) -> Result<(), Failure> {
    let manifest = &summary.manifest;
    output.line(&format!("{file}: intact"))?;
    output.line(&format!(
        "  export      {} (attempt {})",
        manifest.export_id, manifest.attempt
    ))?;
    output.line(&format!("  tenant      {}", manifest.tenant_id))?;
    output.line(&format!("  generated   {}", manifest.generated_at))?;
    output.line(&format!("  checksum    {}", summary.checksum))?;
    output.line(&format!(
        "  stored      {} bytes, {}",
        summary.stored_bytes, summary.stored_sha256
    ))?;
    for (id, category) in &manifest.categories {
        output.line(&format!(
            "  {id}: {} rows, policy {}",
            category.rows, category.policy_digest
        ))?;
    }
    output.remark(
        "Intact means unchanged since it was written; it doesn't prove which service wrote it.",
    );
    Ok(())
}

fn intact(file: &str, summary: &Summary) -> Value {
    json!({
        "file": file,
        "verdict": "intact",
        "stored_bytes": summary.stored_bytes,
        "stored_sha256": summary.stored_sha256,
        "json_bytes": summary.json_bytes,
        "json_sha256": summary.json_sha256,
        "checksum": summary.checksum,
        "manifest": summary.manifest,
    })
}

fn not_intact(file: &str, finding: &Finding) -> Value {
    let within = match finding.within {
        Within::File => "file",
        Within::Document => "document",
    };
    json!({
        "file": file,
        "verdict": "not_intact",
        "code": finding.reason.code(),
        "reason": finding.reason.to_string(),
        "offset": finding.offset,
        "within": within,
    })
}
