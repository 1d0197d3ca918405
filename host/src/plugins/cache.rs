//! The cache of compiled plugins.
//!
//! A compiled plugin is native code: reading an entry back is as good as running it, and wasmtime does not notice a flipped bit.
//! So the folder and its files must be the user's alone, and each entry carries a checksum. Whatever is wrong with an entry or the
//! folder, the plugin is compiled anew and nobody is bothered.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::fs::{PathContext, PathError};
use crate::model::Digest;

/// A folder of compiled plugins.
///
/// An entry is a file named after what went into it: the component's digest, and the compiler's version and settings. After an
/// upgrade nothing finds the old ones; they go after a month. The file holds the code, a note, the note's length (32 bits, little
/// endian), and a checksum of all that (CRC-32, the same). The checksum is for disks that forget; against people, there is the
/// folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// The version and settings of the compiler, as part of a file name.
    compiler: String,
}

/// An entry that can be trusted.
pub(super) struct Entry {
    /// A file that begins with the code.
    ///
    /// It is a path and not bytes, so that the code is mapped and only what runs is ever loaded. Between the check and the mapping only
    /// the user could change the file: nobody else may write into the folder.
    pub(super) code: PathBuf,
    /// The note that was kept with the code.
    pub(super) note: Vec<u8>,
}

/// What a checksum takes, and before it the length of the note, in bytes.
const CHECKSUM: u64 = 4;
const LENGTH: u64 = 4;

/// How much of an entry is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// The longest entry that is read, in bytes: a plugin of 32 MiB compiles to several times that.
const LARGEST: u64 = 512 * 1024 * 1024;

/// How old an entry gets, since it was written.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const EXTENSION: &str = "compiled";

impl Cache {
    /// A cache in the folder, which is made when there is something to write.
    pub(super) fn new(folder: PathBuf, compiler: String) -> Self {
        Self { folder, compiler }
    }

    /// What the component was compiled to; none when there is no entry, or none to be trusted.
    pub(super) fn get(&self, component: &Digest) -> Option<Entry> {
        let code = self.path(component);
        let note = private::is_private_folder(&self.folder).then(|| note_of(&code).ok().flatten())??;
        Some(Entry { code, note })
    }

    /// Keeps the code, with a note. It is no loss if that fails.
    pub(super) fn put(&self, component: &Digest, code: &[u8], note: &[u8]) {
        if private::create_folder(&self.folder).is_ok() && private::is_private_folder(&self.folder) {
            let _ = self.write(component, code, note);
            let _ = self.drop_old();
        }
    }

    fn path(&self, component: &Digest) -> PathBuf {
        self.folder.join(format!("{component}-{}.{EXTENSION}", self.compiler))
    }

    /// Written beside its place and renamed, so that nobody reads half an entry. It need not survive a crash.
    fn write(&self, component: &Digest, code: &[u8], note: &[u8]) -> io::Result<()> {
        let length = u32::try_from(note.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_le_bytes();
        let mut checksum = crc32fast::Hasher::new();
        let mut file = tempfile::Builder::new().suffix(EXTENSION).tempfile_in(&self.folder)?;
        for part in [code, note, &length] {
            checksum.update(part);
            file.write_all(part)?;
        }
        file.write_all(&checksum.finalize().to_le_bytes())?;
        file.persist(self.path(component))?;
        Ok(())
    }

    fn drop_old(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.folder)? {
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
    /// The folder.
    pub folder: PathBuf,
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
    /// Looks into the folder. One that is not there is empty.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn look(folder: &Path) -> Result<Self, PathError> {
        let mut entries = Vec::new();
        let files = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            files => Some(files.at(folder)?),
        };
        for file in files.into_iter().flatten() {
            let file = file.at(folder)?;
            let name = file.file_name().to_string_lossy().into_owned();
            let Some((digest, _)) = name.strip_suffix(EXTENSION).and_then(|name| name.split_once('-')) else {
                continue;
            };
            let size = file.metadata().map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX));
            entries.push(CacheEntry { digest: digest.to_owned(), path: file.path(), size });
        }
        entries.sort();
        Ok(Self { folder: folder.to_owned(), entries })
    }

    /// Removes all entries.
    ///
    /// # Errors
    /// The entry that can't be removed. One that is gone already is no error.
    pub fn clear(&self) -> Result<(), PathError> {
        self.entries.iter().try_for_each(|entry| match fs::remove_file(&entry.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(&entry.path),
            _ => Ok(()),
        })
    }
}

/// The note in the file, if the file is the user's alone and its checksum is right.
fn note_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = private::open(path)?;
    let metadata = file.metadata()?;
    let Some(length_at) = metadata.len().checked_sub(LENGTH + CHECKSUM) else { return Ok(None) };
    if !metadata.is_file() || length_at > LARGEST || !private::is_ours_alone(&metadata) {
        return Ok(None);
    }
    // Piece by piece: the code is mapped later, and need not be in memory a second time.
    let mut checksum = crc32fast::Hasher::new();
    let (mut piece, mut rest) = (vec![0; PIECE], (&file).take(length_at + LENGTH));
    loop {
        match rest.read(&mut piece)? {
            0 => break,
            length => checksum.update(&piece[..length]),
        }
    }
    if read_u32(&mut file)? != checksum.finalize() {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length_at))?;
    let length = read_u32(&mut file)?;
    let start = length_at.checked_sub(length.into()).ok_or(io::ErrorKind::InvalidData)?;
    file.seek(SeekFrom::Start(start))?;
    let mut note = Vec::new();
    file.take(length.into()).read_to_end(&mut note)?;
    Ok(Some(note))
}

fn read_u32(file: &mut File) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Whether a folder or file can have been written by the user alone.
#[cfg(unix)]
mod private {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;

    pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    pub(super) fn is_private_folder(folder: &Path) -> bool {
        fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir() && is_ours_alone(&metadata))
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

    pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    pub(super) fn is_private_folder(folder: &Path) -> bool {
        fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir())
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn is_ours_alone(_: &Metadata) -> bool {
        true
    }
}
