//! Variables that are files: what a supervisor hands over as files (Docker's and Kubernetes' secrets, systemd's credentials)
//! overrides the configuration as the environment does, without being in it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::error::{Complaint, ConfigError};
use super::load::PREFIX;

/// The variable that names the directory.
pub const DIRECTORY_VARIABLE: &str = "CARNET_SECRETS";

/// A value is small; a larger file is some other one.
const MAX_BYTES: u64 = 64 * 1024;

/// The files of `directory` that are called like variables, with what stands in each, a line break at its end aside.
pub(super) fn read(directory: &Path) -> Result<Vec<(OsString, OsString)>, ConfigError> {
    let refuse = |at: &Path, problem: String| {
        ConfigError::from(Complaint {
            file: at.display().to_string(),
            key: String::new(),
            problem,
            remedy: format!(
                "{DIRECTORY_VARIABLE} names a directory with files such as {PREFIX}STORE__URL that this user can read"
            ),
        })
    };
    let unreadable =
        |at: &Path, error: std::io::Error| refuse(at, format!("can't be read: {error}"));
    let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, error))?;
    let mut variables = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let Some(name) = path.file_name().filter(|name| is_variable(name)) else {
            continue;
        };
        let bytes = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if bytes.len() > MAX_BYTES {
            return Err(refuse(&path, "is larger than 64 KiB".to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        let value = text.strip_suffix('\n').unwrap_or(&text);
        let value = value.strip_suffix('\r').unwrap_or(value);
        variables.push((name.to_owned(), value.into()));
    }
    Ok(variables)
}

fn is_variable(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn files_called_like_variables_are_read_and_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("CARNET__AUTH__HS256_SECRET", "0123\n");
        write("postgres_password", "hunter2");
        fs::create_dir(folder.path().join("..data")).unwrap();
        let found = read(folder.path()).unwrap();
        let expected = ("CARNET__AUTH__HS256_SECRET", "0123");
        assert_eq!(found, [(expected.0.into(), expected.1.into())]);
    }

    #[test]
    fn what_cant_be_read_is_named_with_its_remedy_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("CARNET__STORE__URL");
        fs::write(&file, "x".repeat(70_000)).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("CARNET__STORE__URL: is larger"), "{error}");
        assert!(!error.contains("xxx") && error.contains(DIRECTORY_VARIABLE));
        let error = read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none: can't be read"), "{error}");
    }
}
