//! The key ring: one master secret per file, everything else derived from it.
//!
//! The file is text, one key a line (`<key id> <64 hex digits>`), the first the current one and later ones kept so that
//! what they made can still be read (`file`). It is refused when others can read it.
//! Derivation is HKDF-SHA-256 (RFC 5869) with one label per purpose, so no two uses share a key.

mod file;

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use carnet_events::ids::{Digest, TenantId};

/// Ties the extraction to this use of the master secret.
const SALT: &[u8] = b"carnet key ring 1";
const MASTER_BYTES: usize = 32;
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
    /// Makes nothing: it is what the log knows a key by.
    Fingerprint,
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
    /// It isn't there, and isn't made because nodes share it.
    #[error(
        "key file {path} isn't there, and nodes of one event store share their keys: make it once with `carnet keys new {path}`, and give every node a copy"
    )]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{path} is there already; to change keys, add one with `carnet keys add`")]
    Exists {
        /// The file.
        path: PathBuf,
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
        file::make_if_absent(path)?;
        Self::open_existing(path)
    }

    /// Opens the ring at `path`, which nodes share: one that each made for itself would be of no use.
    ///
    /// # Errors
    /// When it isn't there, can't be read, isn't a key file, or can be read by group or others.
    pub fn open_existing(path: &Path) -> Result<Self, KeyError> {
        let text = file::read(path)?;
        Self::parse(&text).map_err(|line| KeyError::Malformed {
            path: path.to_owned(),
            line,
        })
    }

    /// Makes a ring with one fresh key at `path`, where nothing may be yet.
    ///
    /// # Errors
    /// When something is there, or it can't be made.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        file::make(path)?;
        Self::open_existing(path)
    }

    /// Adds a fresh key to the ring at `path`, as the last one: it is recognised from then on, but makes nothing yet.
    ///
    /// # Errors
    /// When the ring can't be read or written, or is full.
    pub fn add(path: &Path) -> Result<Self, KeyError> {
        file::rewrite(path, |lines| {
            let line = file::fresh_line()?;
            lines.push(line.trim().to_owned());
            Ok(())
        })
    }

    /// Makes the last key of the ring at `path` the current one. The others stay, so that what they made can still be read.
    ///
    /// # Errors
    /// When the ring can't be read or written.
    pub fn promote(path: &Path) -> Result<Self, KeyError> {
        file::rewrite(path, |lines| {
            lines.rotate_right(1);
            Ok(())
        })
    }

    /// A ring that lives as long as the process; for tests.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn ephemeral() -> Result<Self, KeyError> {
        Self::parse(&file::fresh_line()?).map_err(|_| KeyError::Crypto)
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

    /// What the log knows the keys by, the current one's first. Derived like any other key, so it tells nothing of them.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn fingerprints(&self) -> Result<Vec<Digest>, KeyError> {
        let derive = |key: &Key| Ok(Digest::from_bytes(key.derive(Purpose::Fingerprint)?));
        self.keys.iter().map(derive).collect()
    }

    /// The ids of the keys, the current one's first.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.id.as_str()).collect()
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
            Purpose::Fingerprint => (b"fingerprint", b""),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

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
    fn a_ring_that_nodes_share_is_never_made_by_chance() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        assert!(matches!(
            KeyRing::open_existing(&path),
            Err(KeyError::Absent { .. })
        ));
        assert!(!path.exists());
        KeyRing::make(&path).unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(KeyRing::make(&path), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn keys_are_changed_in_two_steps_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let first = KeyRing::make(&path).unwrap();
        let added = KeyRing::add(&path).unwrap();
        assert_eq!(added.current_id(), first.current_id());
        assert_eq!(added.ids().len(), 2);
        let promoted = KeyRing::promote(&path).unwrap();
        assert_eq!(promoted.current_id(), added.ids()[1]);
        let read = KeyRing::open_existing(&path).unwrap();
        assert_eq!(read.ids(), promoted.ids());
        assert_eq!(
            read.with_id(first.current_id(), Purpose::Links),
            first.current(Purpose::Links).ok()
        );
        assert_eq!(
            read.fingerprints().unwrap()[1],
            first.fingerprints().unwrap()[0]
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(fs::read_to_string(&path).unwrap().starts_with("# "));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
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
            Purpose::Fingerprint,
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
