//! What an attacker does in a project while a command runs in it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, mknodat};

use super::Field;
use super::field::{FOREIGN, OTHER};

/// What is swapped, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// A directory that all files are below, for a link to one outside.
    Directory,
    /// The directory that the files are in, for a link to one outside.
    Deeper,
    /// The directory that is made for a file, for a link to one outside.
    MadeDirectory,
    /// A file that is merged into, for a link to one outside.
    Link,
    /// The file that a link leads to, for a link to one outside.
    LinkedLink,
    /// A file that is merged into, for a link to a program outside that runs as its owner.
    Program,
    /// A file that is merged into, for a second name of one outside.
    HardLink,
    /// A file that is merged into, for a FIFO.
    Fifo,
    /// A file that is merged into, for a file of another user.
    Foreign,
    /// The directory of temporary files, for a link to one outside.
    Staging,
    /// The backup, for a link to a file outside that is not there.
    Backup,
    /// The config, for that of another user.
    Config,
}

impl Swap {
    /// All that this user can do: to give a file to another one takes root.
    #[must_use]
    pub fn all() -> Vec<Self> {
        use Swap::{
            Backup, Config, Deeper, Directory, Fifo, Foreign, HardLink, Link, LinkedLink, MadeDirectory, Program,
            Staging,
        };
        let all = [
            Directory,
            Deeper,
            MadeDirectory,
            Link,
            LinkedLink,
            Program,
            HardLink,
            Fifo,
            Foreign,
            Staging,
            Backup,
            Config,
        ];
        let is_root = rustix::process::geteuid().is_root();
        all.into_iter().filter(|&swap| is_root || !matches!(swap, Foreign | Config)).collect()
    }

    /// Whether what is outside has a name in the project by that.
    #[must_use]
    pub fn links_hard(self) -> bool {
        self == Self::HardLink
    }

    /// What is swapped, below the project.
    fn path(self) -> PathBuf {
        match self {
            Self::Directory => "sub".into(),
            Self::Deeper => "sub/deep".into(),
            Self::MadeDirectory => "sub/made".into(),
            Self::Link | Self::HardLink | Self::Fifo | Self::Foreign => "sub/deep/.env".into(),
            Self::LinkedLink => "sub/deep/linked.env".into(),
            Self::Program => "sub/deep/config.json".into(),
            Self::Staging => format!("sub/deep/.portkeeper-tmp.{}", rustix::process::geteuid().as_raw()).into(),
            Self::Backup => "sub/deep/config.json.bak".into(),
            Self::Config => "pk.config.json".into(),
        }
    }

    /// Does it. What is there keeps another name.
    ///
    /// # Panics
    /// When it cannot.
    pub fn make(self, field: &Field) {
        let path = field.project().join(self.path());
        let _ = fs::rename(&path, away(&path));
        let outside = field.outside();
        let made = match self {
            Self::Directory => symlink(&outside, &path),
            Self::Deeper | Self::MadeDirectory | Self::Staging => symlink(outside.join("deep"), &path),
            Self::Link | Self::LinkedLink => symlink(outside.join("deep/.env"), &path),
            Self::Program => symlink(outside.join("deep/config.json"), &path),
            Self::HardLink => fs::hard_link(outside.join("deep/.env"), &path),
            Self::Fifo => {
                mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(Into::into)
            }
            Self::Foreign => foreign(&path, &format!("TEXT={FOREIGN}\n")),
            Self::Backup => symlink(outside.join("made.bak"), &path),
            Self::Config => foreign(&path, &field.config("evil.env")),
        };
        made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Undoes it, as far as the command has left it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn undo(self, field: &Field) {
        let path = field.project().join(self.path());
        let away = away(&path);
        if away.symlink_metadata().is_ok() {
            // Over a directory a rename would not go; a link is none.
            let _ = fs::remove_file(&path);
            let _ = fs::rename(away, path);
        } else if path.is_symlink() {
            fs::remove_file(path).expect("a link that was made");
        }
    }
}

fn foreign(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)?;
    chown(path, Some(OTHER), Some(OTHER))
}

fn away(path: &Path) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(".away");
    name.into()
}
