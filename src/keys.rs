//! The key ring: one master secret per file, everything else derived from it.
//!
//! The file is text, one key a line (`<key id> <64 hex digits>`), the first the current one and later ones kept so that
//! what they made can still be read. It is made with mode 0600 when absent and refused when others can read it.
//! Derivation is HKDF-SHA-256 (RFC 5869) with one label per purpose, so no two uses share a key.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;
use carnet_events::ids::TenantId;

/// Ties the extraction to this use of the master secret.
const SALT: &[u8] = b"carnet key ring 1";
const MASTER_BYTES: usize = 32;
/// A ring larger than this is some other file.
const MAX_FILE_BYTES: u64 = 64 * 1024;
const MAX_KEYS: usize = 100;

/// A derived key.
pub type DerivedKey = [u8; 32];

/// What a key is for; each purpose has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Signs download links.
    Links,
    /// Hashes columns with `rule = "hash"`; one per tenant.
    Columns(&'a TenantId),
    /// Seals what a page of the audit log may ask later.
    Cursors,
    /// Seals sessions, and sign-ins that are under way.
    Sessions,
    /// Makes the tokens that forms carry.
    Forms,
}

/// Why the key file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Reading, making or writing it failed.
    #[error("key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it.
    #[error("key file {path} can be read by others (mode {mode:o}); run `chmod 600` on it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It isn't a key file.
    #[error(
        "key file {path}, line {line}: not a key; a line holds a key id, a space and 64 hex digits"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The offending line, from 1.
        line: usize,
    },
    /// The system's random source or key derivation failed.
    #[error("making a key failed")]
    Crypto,
}

/// The keys of this service; the first is the current one.
pub struct KeyRing {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    prk: Prk,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|key| &key.id))
            .finish()
    }
}

impl KeyRing {
    /// Opens the ring at `path`, making one with a fresh key when there is none.
    ///
    /// # Errors
    /// When it can't be read or made, isn't a key file, or can be read by group or others.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::metadata(path) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => create(path)?,
            Err(e) => return Err(io(e)),
        }
        let metadata = fs::metadata(path).map_err(io)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Err(KeyError::Malformed {
                path: path.to_owned(),
                line: 0,
            });
        }
        let text = fs::read_to_string(path).map_err(io)?;
        Self::parse(&text).map_err(|line| KeyError::Malformed {
            path: path.to_owned(),
            line,
        })
    }

    /// A ring that lives as long as the process; for tests.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn ephemeral() -> Result<Self, KeyError> {
        Self::parse(&fresh_line()?).map_err(|_| KeyError::Crypto)
    }

    fn parse(text: &str) -> Result<Self, usize> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = Key::parse(line).ok_or(index + 1)?;
            if keys.len() >= MAX_KEYS || keys.iter().any(|other| other.id == key.id) {
                return Err(index + 1);
            }
            keys.push(key);
        }
        if keys.is_empty() {
            Err(1)
        } else {
            Ok(Self { keys })
        }
    }

    /// The id of the current key; it stands beside whatever was made with it.
    pub fn current_id(&self) -> &str {
        self.keys.first().map_or("", |key| &key.id)
    }

    /// The current key for `purpose`.
    ///
    /// # Errors
    /// When derivation fails, which the cryptographic library doesn't do for 32 bytes.
    pub fn current(&self, purpose: Purpose<'_>) -> Result<DerivedKey, KeyError> {
        self.keys.first().ok_or(KeyError::Crypto)?.derive(purpose)
    }

    /// The key for `purpose` made from the master secret called `id`, if the ring still has it.
    pub fn with_id(&self, id: &str, purpose: Purpose<'_>) -> Option<DerivedKey> {
        self.keys
            .iter()
            .find(|key| key.id == id)?
            .derive(purpose)
            .ok()
    }
}

impl Key {
    fn parse(line: &str) -> Option<Self> {
        let (id, secret) = line.split_once(' ')?;
        let valid_id =
            !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let mut master = [0; MASTER_BYTES];
        hex::decode_to_slice(secret.trim(), &mut master).ok()?;
        valid_id.then(|| Self {
            id: id.to_owned(),
            prk: Salt::new(HKDF_SHA256, SALT).extract(&master),
        })
    }

    fn derive(&self, purpose: Purpose<'_>) -> Result<DerivedKey, KeyError> {
        let (label, context): (&[u8], &[u8]) = match purpose {
            Purpose::Links => (b"links", b""),
            Purpose::Columns(tenant) => (b"columns", tenant.as_str().as_bytes()),
            Purpose::Cursors => (b"cursors", b""),
            Purpose::Sessions => (b"sessions", b""),
            Purpose::Forms => (b"forms", b""),
        };
        let mut key = [0; 32];
        let info = [label, b"\0", context];
        let output = self
            .prk
            .expand(&info, HKDF_SHA256)
            .map_err(|_| KeyError::Crypto)?;
        output.fill(&mut key).map_err(|_| KeyError::Crypto)?;
        Ok(key)
    }
}

fn fresh_line() -> Result<String, KeyError> {
    let (mut id, mut master) = ([0; 4], [0; MASTER_BYTES]);
    rand::fill(&mut id).map_err(|_| KeyError::Crypto)?;
    rand::fill(&mut master).map_err(|_| KeyError::Crypto)?;
    Ok(format!("{} {}\n", hex::encode(id), hex::encode(master)))
}

/// Writes a new ring beside its place and links it there: two processes starting at once agree on one, and a crash
/// leaves a whole file or none.
fn create(path: &Path) -> Result<(), KeyError> {
    let io = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(io)?;
    let mut suffix = [0; 8];
    rand::fill(&mut suffix).map_err(|_| KeyError::Crypto)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", hex::encode(suffix)));
    let draft = PathBuf::from(name);
    let written = write_new(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(io(e)),
        _ => Ok(()),
    });
    let _ = fs::remove_file(&draft);
    written?;
    fs::File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(io)
}

fn write_new(draft: &Path) -> Result<(), KeyError> {
    let io = |source| KeyError::Io {
        path: draft.to_owned(),
        source,
    };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(io)?;
    let text = format!(
        "# Carnet's keys. Keep this file secret, and keep a copy of it.\n{}",
        fresh_line()?
    );
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/keys");
        let first = KeyRing::open(&path).unwrap();
        let again = KeyRing::open(&path).unwrap();
        assert_eq!(
            first.current(Purpose::Links).unwrap(),
            again.current(Purpose::Links).unwrap()
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        KeyRing::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            KeyRing::open(&path),
            Err(KeyError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn every_purpose_and_tenant_has_its_own_key() {
        let ring = KeyRing::ephemeral().unwrap();
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
        let keys = [
            Purpose::Links,
            Purpose::Cursors,
            Purpose::Sessions,
            Purpose::Forms,
            Purpose::Columns(&a),
            Purpose::Columns(&b),
        ]
        .map(|p| ring.current(p).unwrap());
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key));
        }
    }

    #[test]
    fn an_old_key_is_still_found_by_its_id() {
        let old = format!("old1 {}", "ab".repeat(32));
        let ring = KeyRing::parse(&format!("# ring\nnew2 {}\n{old}\n", "cd".repeat(32))).unwrap();
        assert_eq!(ring.current_id(), "new2");
        let alone = KeyRing::parse(&old).unwrap();
        assert_eq!(
            ring.with_id("old1", Purpose::Links),
            alone.current(Purpose::Links).ok()
        );
        assert_eq!(ring.with_id("gone", Purpose::Links), None);
        for bad in [
            "",
            "x",
            "id 00",
            &format!("i-d {}", "ab".repeat(32)),
            &format!("{old}\n{old}"),
        ] {
            assert!(KeyRing::parse(bad).is_err(), "{bad}");
        }
    }
}
