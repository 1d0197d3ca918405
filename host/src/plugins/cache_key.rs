//! The key of the cache of compiled plugins: what it authenticates, only its owner can have written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::fs::{
    Lock, LockError, LockOptions, PathContext, beside, create_private_dir, directory_of, read_private, write_atomic,
};

/// How long an authentication code is, in bytes.
pub(super) const CODE_LENGTH: usize = blake3::OUT_LEN;

/// A secret that makes authentication codes: BLAKE3 with a key.
///
/// HMAC-SHA-256 would do as well and takes twice as long; the code of four formats, 1.2 MB, is authenticated in each prepare.
#[derive(Clone)]
pub(super) struct CacheKey([u8; blake3::KEY_LEN]);

/// An authentication code. It is compared in constant time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(blake3::Hash);

impl Code {
    pub(super) fn bytes(&self) -> &[u8; CODE_LENGTH] {
        self.0.as_bytes()
    }

    /// None unless there are as many bytes as a code has.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(blake3::Hash::from_bytes(bytes.try_into().ok()?)))
    }
}

impl CacheKey {
    /// The code of all the parts in a row.
    pub(super) fn authenticate(&self, parts: &[&[u8]]) -> Code {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in parts {
            hasher.update(part);
        }
        Code(hasher.finalize())
    }
}

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CacheKey")
    }
}

/// The file that a key is kept in, and the key once it was read.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    key: OnceLock<CacheKey>,
}

impl KeyFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, key: OnceLock::new() }
    }

    /// The key; none when there is none that only this user can know.
    pub(super) fn existing(&self) -> Option<CacheKey> {
        if let Some(key) = self.key.get() {
            return Some(key.clone());
        }
        let bytes = read_private(&self.path, blake3::KEY_LEN as u64).ok()??;
        let key = CacheKey(bytes.try_into().ok()?);
        is_secret(&self.path).then(|| self.key.get_or_init(|| key).clone())
    }

    /// The same, with a new key when there is none, or none that is worth anything; none when it cannot be written.
    pub(super) fn existing_or_new(&self) -> Option<CacheKey> {
        self.existing().or_else(|| {
            self.make().ok()?;
            self.existing()
        })
    }

    /// Makes a key. It appears complete and with its mode. Of callers that make one at the same time the first does, and all use that.
    fn make(&self) -> Result<(), LockError> {
        create_private_dir(directory_of(&self.path))?;
        // Without it, a caller that has seen a worthless key could replace the good one that another has made since.
        let _only_one = Lock::acquire(&beside(&self.path, "lock"), &LockOptions::default())?;
        if self.existing().is_some() {
            return Ok(());
        }
        let mut key = [0; blake3::KEY_LEN];
        getrandom::fill(&mut key).map_err(io::Error::from).at(&self.path)?;
        Ok(write_atomic(&self.path, &key, Some(0o600))?)
    }
}

/// Whether no group and no others can read the file.
#[cfg(unix)]
fn is_secret(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 == 0)
}

/// Elsewhere the user's own profile keeps others out.
#[cfg(not(unix))]
fn is_secret(_: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key_of(path: &Path) -> CacheKey {
        KeyFile::new(path.to_owned()).existing_or_new().unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/key");
        assert!(KeyFile::new(path.clone()).existing().is_none());
        let key = key_of(&path);
        assert_eq!(key.0, key_of(&path).0);
        assert_eq!(key.0, KeyFile::new(path.clone()).existing().unwrap().0);
        assert!(is_secret(&path));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "it and its lock are all that is there");
    }

    #[test]
    fn callers_at_the_same_time_agree_on_one() {
        let home = tempfile::tempdir().unwrap();
        let path = &home.path().join("key");
        let keys = std::thread::scope(|scope| {
            let started: Vec<_> = (0..16).map(|_| scope.spawn(move || key_of(path).0)).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_key_that_is_damaged_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        for worthless in [&b""[..], b"short", &[7; 33]] {
            fs::write(&path, worthless).unwrap();
            assert_ne!(key_of(&path).0[..], *worthless);
            assert_eq!(fs::read(&path).unwrap().len(), blake3::KEY_LEN);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_could_have_read_is_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        let old = key_of(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(KeyFile::new(path.clone()).existing().is_none());
        assert_ne!(old.0, key_of(&path).0);
        assert!(is_secret(&path));
    }

    #[test]
    fn a_code_depends_on_key_and_bytes_and_not_on_the_parts() {
        let (key, other) = (CacheKey([1; 32]), CacheKey([2; 32]));
        assert_eq!(key.authenticate(&[b"ab", b"c"]), key.authenticate(&[b"abc"]));
        assert_ne!(key.authenticate(&[b"abc"]), key.authenticate(&[b"abd"]));
        assert_ne!(key.authenticate(&[b"abc"]), other.authenticate(&[b"abc"]));
    }
}
