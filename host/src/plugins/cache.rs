//! The cache of compiled plugins.
//!
//! A compiled plugin is native code: reading an entry back is as good as running it, and wasmtime does not notice a flipped bit.
//! So the directory and its files must be the user's alone, and each entry carries a checksum. Whatever is wrong with an entry or the
//! directory, the plugin is compiled anew and nobody is bothered.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fs::{PathContext, PathError};
use crate::model::Digest;

/// A directory of compiled plugins.
///
/// An entry is a file named after what went into it: the component's digest, and the compiler's version and settings. After an
/// upgrade nothing finds the old ones; they go after a month. The file holds the code, a note, and three numbers (32 bits, little
/// endian): the checksum of the code, the note's length, and the checksum of all that follows the code. So the note can be read without
/// the code. The checksums (CRC-32) are for disks that forget; against people, there is the directory.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    /// The version and settings of the compiler, as part of a file name.
    compiler: String,
}

/// An entry whose note can be trusted.
#[derive(Debug)]
pub(super) struct Entry {
    path: PathBuf,
    file: File,
    note: Vec<u8>,
    /// How long the code is, in bytes, and its checksum.
    code_length: u64,
    checksum: u32,
}

impl Entry {
    /// The note that was kept with the code.
    pub(super) fn note(&self) -> &[u8] {
        &self.note
    }

    /// A file that begins with the code; none when the code is not what was kept.
    ///
    /// It is a path and not bytes, so that the code is mapped and only what runs is ever loaded. Between the check and the mapping only
    /// the user could change the file: nobody else may write into the directory.
    pub(super) fn code(self) -> Option<PathBuf> {
        let Self { path, mut file, code_length, checksum, .. } = self;
        file.rewind().ok()?;
        (checksum_of(file.take(code_length)).ok()? == checksum).then_some(path)
    }
}

/// The checksum of all that can be read.
fn checksum_of(mut content: impl Read) -> io::Result<u32> {
    // What fits into a processor's nearest cache is still there when it is looked at.
    let mut chunk = [0; 32 * 1024];
    let mut hasher = crc32fast::Hasher::new();
    loop {
        match content.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finalize()),
            Ok(length) => hasher.update(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The numbers at the end of an entry, in bytes.
const NUMBERS: usize = 12;

/// The longest entry that is read, in bytes: a plugin of 32 MiB compiles to several times that.
const LARGEST: u64 = 512 * 1024 * 1024;

/// How old an entry gets, since it was written.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const EXTENSION: &str = "compiled";

impl Cache {
    /// A cache in the directory, which is made when there is something to write.
    pub(super) fn new(directory: PathBuf, compiler: String) -> Self {
        Self { directory, compiler }
    }

    /// Whether there is an entry for the component. What it is worth, [`get`](Self::get) says.
    pub(super) fn has(&self, component: &Digest) -> bool {
        self.path(component).exists()
    }

    /// What is kept of the component; none when there is no entry, or none to be trusted.
    pub(super) fn get(&self, component: &Digest) -> Option<Entry> {
        private::is_private_directory(&self.directory).then(|| open(self.path(component)))?
    }

    /// Keeps the code, with a note. It is no loss if that fails.
    pub(super) fn put(&self, component: &Digest, code: &[u8], note: &[u8]) {
        if private::create_directory(&self.directory).is_ok() && private::is_private_directory(&self.directory) {
            let _ = self.write(component, code, note);
            let _ = self.drop_old();
        }
    }

    fn path(&self, component: &Digest) -> PathBuf {
        self.directory.join(format!("{component}-{}.{EXTENSION}", self.compiler))
    }

    /// Written beside its place and renamed, so that nobody reads half an entry. It need not survive a crash.
    fn write(&self, component: &Digest, code: &[u8], note: &[u8]) -> io::Result<()> {
        let length = u32::try_from(note.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut end = note.to_vec();
        end.extend(crc32fast::hash(code).to_le_bytes());
        end.extend(length.to_le_bytes());
        end.extend(crc32fast::hash(&end).to_le_bytes());
        let mut file = tempfile::Builder::new().suffix(EXTENSION).tempfile_in(&self.directory)?;
        file.write_all(code)?;
        file.write_all(&end)?;
        file.persist(self.path(component))?;
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

/// What a cache holds, for whoever wants to know or to clear it.
#[derive(Debug, Clone)]
pub struct Cached {
    /// The directory.
    pub directory: PathBuf,
    /// The compiled plugins in it, sorted. Other files are nobody's business.
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

/// The entry in the file, if the file is the user's alone and what follows the code is what was kept.
fn open(path: PathBuf) -> Option<Entry> {
    let mut file = private::open(&path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > LARGEST || !private::is_ours_alone(&metadata) {
        return None;
    }
    let mut numbers = [0; NUMBERS];
    let note_end = metadata.len().checked_sub(NUMBERS as u64)?;
    read_at(&mut file, note_end, &mut numbers)?;
    let [checksum, length, checksum_of_end] = [0, 4, 8].map(|at| number(&numbers, at));
    let code_length = note_end.checked_sub(length.into())?;
    let mut note = vec![0; usize::try_from(length).ok()?];
    read_at(&mut file, code_length, &mut note)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&note);
    hasher.update(&numbers[..8]);
    (hasher.finalize() == checksum_of_end).then_some(Entry { path, file, note, code_length, checksum })
}

/// Fills the bytes with what stands there in the file.
fn read_at(file: &mut File, at: u64, bytes: &mut [u8]) -> Option<()> {
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(bytes).ok()
}

/// The number at this place.
fn number(numbers: &[u8; NUMBERS], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|index| numbers[at + index]))
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
