//! The cache of compiled plugins.
//!
//! A compiled plugin is native code: reading an entry back is as good as running it. A cache is also what sandboxes let their programs
//! write, and what people copy from elsewhere. So each entry carries a code that only the owner of a key in the user's state directory can
//! make ([`CacheKey`]); that finds what a disk has damaged as well. Directory and files must be the user's alone besides. Whatever is wrong
//! with an entry, the key or the directory, the plugin is compiled again, quietly.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::cache_key::{CODE_LENGTH, CacheKey, Code, KeyFile};
use crate::fs::{PathContext, PathError};
use crate::model::Digest;

/// Where compiled plugins are kept, and the key that proves that this user has written them.
#[derive(Debug, Clone)]
pub struct CachePlace {
    /// The directory of the entries. What is in it can be made again.
    pub directory: PathBuf,
    /// The key's file. It belongs where only the user can read and write, and no sandbox: with the registry.
    pub key: PathBuf,
    /// Whether a key is made where there is none. Without one nothing is kept.
    pub makes_key: bool,
}

impl CachePlace {
    /// The same for what must not change the user's state: dry runs, and commands that only show something.
    #[must_use]
    pub fn without_new_key(self) -> Self {
        Self { makes_key: false, ..self }
    }
}

/// A directory of compiled plugins.
///
/// An entry is a file named after what went into it: the component's digest, and the compiler's version and settings. After an
/// upgrade nothing finds the old ones; they go after a month. The file holds the compiled code, a note, the authentication code of the
/// compiled code, the note's length (32 bits, little endian), and the authentication code of all that follows the compiled code, and of the
/// file's name. So the note can be used without reading the compiled code.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    key: KeyFile,
    makes_key: bool,
    /// The version and settings of the compiler, as part of a file name.
    compiler: String,
}

/// An entry whose note can be trusted.
#[derive(Debug)]
pub(super) struct Entry {
    file: File,
    key: CacheKey,
    note: Vec<u8>,
    /// How long the compiled code is, in bytes, and its authentication code.
    length: u64,
    code: Code,
}

impl Entry {
    /// The note that was kept with the code.
    pub(super) fn note(&self) -> &[u8] {
        &self.note
    }

    /// The compiled code; none when it is not what was kept.
    ///
    /// These are the very bytes that were authenticated. A mapping of the file would change with it when another process writes into it.
    pub(super) fn compiled(mut self) -> Option<Vec<u8>> {
        self.file.rewind().ok()?;
        let mut compiled = Vec::with_capacity(usize::try_from(self.length).ok()?);
        self.file.take(self.length).read_to_end(&mut compiled).ok()?;
        (self.key.authenticate(&[&compiled]) == self.code).then_some(compiled)
    }
}

/// What stands at the end of an entry after the note, in bytes.
const TRAILER: usize = CODE_LENGTH + 4 + CODE_LENGTH;

/// The longest entry that is read, in bytes: a plugin of 32 MiB compiles to several times that.
const LARGEST: u64 = 512 * 1024 * 1024;

/// How old an entry gets, since it was written.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const EXTENSION: &str = "compiled";

impl Cache {
    /// A cache in the directory. Directory and key are made when there is something to write.
    pub(super) fn new(place: CachePlace, compiler: String) -> Self {
        Self { directory: place.directory, key: KeyFile::new(place.key), makes_key: place.makes_key, compiler }
    }

    /// Whether there is an entry for the component. What it is worth, [`get`](Self::get) says.
    pub(super) fn has(&self, component: &Digest) -> bool {
        self.directory.join(self.name(component)).exists()
    }

    /// What is kept of the component; none when there is no entry, or none to be trusted.
    pub(super) fn get(&self, component: &Digest) -> Option<Entry> {
        if !private::is_private_directory(&self.directory) {
            return None;
        }
        let name = self.name(component);
        let file = private::open(&self.directory.join(&name)).ok()?;
        open(file, &name, self.key.existing()?)
    }

    /// Keeps the compiled code, with a note. It is no loss if that fails: without a state directory that can be written there is no key,
    /// and nothing is kept.
    pub(super) fn put(&self, component: &Digest, compiled: &[u8], note: &[u8]) {
        let key = if self.makes_key { self.key.existing_or_new() } else { self.key.existing() };
        let Some(key) = key else { return };
        if private::create_directory(&self.directory).is_ok() && private::is_private_directory(&self.directory) {
            let _ = self.write(&self.name(component), &key, compiled, note);
            let _ = self.drop_old();
        }
    }

    fn name(&self, component: &Digest) -> String {
        format!("{component}-{}.{EXTENSION}", self.compiler)
    }

    /// Written beside its place and renamed, so that no reader sees half an entry. It need not survive a crash.
    fn write(&self, name: &str, key: &CacheKey, compiled: &[u8], note: &[u8]) -> io::Result<()> {
        let length = u32::try_from(note.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut end = note.to_vec();
        end.extend(key.authenticate(&[compiled]).bytes());
        end.extend(length.to_le_bytes());
        end.extend(key.authenticate(&[name.as_bytes(), &end]).bytes());
        let mut file = tempfile::Builder::new().suffix(EXTENSION).tempfile_in(&self.directory)?;
        file.write_all(compiled)?;
        file.write_all(&end)?;
        file.persist(self.directory.join(name))?;
        Ok(())
    }

    fn drop_old(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let ours = entry.file_name().to_string_lossy().ends_with(EXTENSION);
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if ours && age > KEPT {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// What a cache holds, to show it or to clear it.
#[derive(Debug, Clone)]
pub struct Cached {
    /// The directory.
    pub directory: PathBuf,
    /// The compiled plugins in it, sorted. Other files are left out.
    pub entries: Vec<CacheEntry>,
}

/// A compiled plugin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheEntry {
    /// The SHA-256 of the plugin that it was compiled from.
    pub digest: String,
    /// The file.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub size: usize,
}

impl Cached {
    /// Looks into the directory. One that is not there is empty.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn look(directory: &Path) -> Result<Self, PathError> {
        let mut entries = Vec::new();
        let files = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            files => Some(files.at(directory)?),
        };
        for file in files.into_iter().flatten() {
            let file = file.at(directory)?;
            let name = file.file_name().to_string_lossy().into_owned();
            let Some((digest, _)) = name.strip_suffix(EXTENSION).and_then(|name| name.split_once('-')) else {
                continue;
            };
            let size = file.metadata().map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX));
            entries.push(CacheEntry { digest: digest.to_owned(), path: file.path(), size });
        }
        entries.sort();
        Ok(Self { directory: directory.to_owned(), entries })
    }

    /// Removes all entries.
    ///
    /// # Errors
    /// The entry that cannot be removed. One that is gone already is no error.
    pub fn clear(&self) -> Result<(), PathError> {
        self.entries.iter().try_for_each(|entry| match fs::remove_file(&entry.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(&entry.path),
            _ => Ok(()),
        })
    }
}

/// The entry in the file, if the file is the user's alone and what follows the compiled code is what was kept under this name.
fn open(mut file: File, name: &str, key: CacheKey) -> Option<Entry> {
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST || !private::is_ours_alone(&metadata) {
        return None;
    }
    let note_end = metadata.len().checked_sub(TRAILER as u64)?;
    let mut trailer = [0; TRAILER];
    read_at(&mut file, note_end, &mut trailer)?;
    let (trailer, whole) = trailer.split_at(TRAILER - CODE_LENGTH);
    let (code, note_length) = trailer.split_at(CODE_LENGTH);
    let note_length = u32::from_le_bytes(note_length.try_into().ok()?);
    let length = note_end.checked_sub(note_length.into())?;
    let mut note = vec![0; usize::try_from(note_length).ok()?];
    read_at(&mut file, length, &mut note)?;
    if key.authenticate(&[name.as_bytes(), &note, trailer]) != Code::from_bytes(whole)? {
        return None;
    }
    Some(Entry { file, code: Code::from_bytes(code)?, key, note, length })
}

/// Fills the bytes with what stands there in the file.
fn read_at(file: &mut File, at: u64, bytes: &mut [u8]) -> Option<()> {
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(bytes).ok()
}

/// Whether a directory or file can have been written by the user alone.
#[cfg(unix)]
mod private {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;

    pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)
    }

    pub(super) fn is_private_directory(directory: &Path) -> bool {
        fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.is_dir() && is_ours_alone(&metadata))
    }

    /// Neither through a symbolic link, nor waiting for the other end of a pipe.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }

    /// The effective user's, and writable by no group and no others.
    pub(super) fn is_ours_alone(metadata: &Metadata) -> bool {
        metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
    }
}

/// Elsewhere the user's own profile, where the cache lies, keeps others out.
#[cfg(not(unix))]
mod private {
    use std::fs::{self, File, Metadata};
    use std::io;
    use std::path::Path;

    pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)
    }

    pub(super) fn is_private_directory(directory: &Path) -> bool {
        fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.is_dir())
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn is_ours_alone(_: &Metadata) -> bool {
        true
    }
}
