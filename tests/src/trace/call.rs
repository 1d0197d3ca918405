//! A system call, as far as tests of files want to know it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, read_link};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// A call that is about to be made: one that opens, reads, writes, names, locks or looks at files.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name, for example `openat`.
    pub name: &'static str,
    /// The process that makes it.
    pub process: u32,
    thread: Pid,
    arguments: [u64; 6],
    takes: &'static [Takes],
}

/// Which arguments say which file is meant.
#[derive(Debug, Clone, Copy)]
enum Takes {
    /// The descriptor in this one.
    Descriptor(usize),
    /// The path in this one.
    Path(usize),
    /// The path in the second one, seen from the directory in the first.
    At(usize, usize),
}

use Takes::{At, Descriptor, Path as Whole};

impl Call {
    pub(super) fn new(thread: Pid, process: Pid, number: i64, arguments: [u64; 6]) -> Option<Self> {
        let (name, takes) = file_call(number, &arguments).or_else(|| old_file_call(number))?;
        Some(Self { name, process: process.as_raw_nonzero().get().unsigned_abs(), thread, arguments, takes })
    }

    /// The paths that it takes, made absolute, not resolved.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let path = |takes: &Takes| match *takes {
            Descriptor(_) => None,
            Whole(index) => self.text(index).map(|path| self.link("cwd").join(path)),
            At(directory, index) => {
                // With AT_EMPTY_PATH the descriptor itself is meant.
                let path = self.text(index).filter(|path| !path.as_os_str().is_empty())?;
                Some(self.opened(directory).join(path))
            }
        };
        self.takes.iter().filter_map(path).collect()
    }

    /// What the descriptor leads to that it takes in place of a path.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.takes.iter().find_map(|takes| match *takes {
            Descriptor(index) => Some(self.opened(index)),
            At(directory, index) if self.text(index).is_none_or(|path| path.as_os_str().is_empty()) => {
                Some(self.opened(directory))
            }
            _ => None,
        })
    }

    /// An argument as it is.
    #[must_use]
    pub fn argument(&self, index: usize) -> u64 {
        self.arguments[index]
    }

    fn opened(&self, index: usize) -> PathBuf {
        #[expect(clippy::cast_possible_truncation, reason = "a descriptor is an int")]
        match self.arguments[index] as i32 {
            libc::AT_FDCWD => self.link("cwd"),
            descriptor => self.link(&format!("fd/{descriptor}")),
        }
    }

    fn link(&self, name: &str) -> PathBuf {
        read_link(format!("/proc/{}/{name}", self.thread.as_raw_nonzero())).unwrap_or_default()
    }

    /// The text that an argument leads to; none when it leads nowhere.
    fn text(&self, index: usize) -> Option<PathBuf> {
        let mut bytes = vec![0; 4096];
        let memory = File::open(format!("/proc/{}/mem", self.thread.as_raw_nonzero())).ok()?;
        let read = memory.read_at(&mut bytes, self.arguments[index]).ok()?;
        let end = bytes[..read].iter().position(|&byte| byte == 0)?;
        bytes.truncate(end);
        Some(PathBuf::from(OsString::from_vec(bytes)))
    }

    /// Whether a path that it takes, or the file that its descriptor leads to, is the directory or lies below it.
    #[must_use]
    pub fn concerns(&self, directory: &Path) -> bool {
        self.paths().into_iter().chain(self.file()).any(|path| path.starts_with(directory))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.paths().into_iter().chain(self.file()).try_for_each(|path| write!(f, " {}", path.display()))
    }
}

/// Whether it is the standard library's first call: are the three standard streams open?
pub(super) fn is_poll(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    return number == libc::SYS_poll;
    #[cfg(not(target_arch = "x86_64"))]
    return number == libc::SYS_ppoll;
}

/// The calls that every processor has.
fn file_call(number: i64, arguments: &[u64; 6]) -> Option<(&'static str, &'static [Takes])> {
    let call: (&'static str, &'static [Takes]) = match number {
        libc::SYS_openat => ("openat", &[At(0, 1)]),
        libc::SYS_openat2 => ("openat2", &[At(0, 1)]),
        libc::SYS_read => ("read", &[Descriptor(0)]),
        libc::SYS_pread64 => ("pread64", &[Descriptor(0)]),
        libc::SYS_readv => ("readv", &[Descriptor(0)]),
        libc::SYS_getdents64 => ("getdents64", &[Descriptor(0)]),
        libc::SYS_write => ("write", &[Descriptor(0)]),
        libc::SYS_pwrite64 => ("pwrite64", &[Descriptor(0)]),
        libc::SYS_writev => ("writev", &[Descriptor(0)]),
        libc::SYS_ftruncate => ("ftruncate", &[Descriptor(0)]),
        libc::SYS_fsync => ("fsync", &[Descriptor(0)]),
        libc::SYS_fdatasync => ("fdatasync", &[Descriptor(0)]),
        libc::SYS_flock => ("flock", &[Descriptor(0)]),
        libc::SYS_fcntl => match i32::try_from(arguments[1]).ok()? {
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => ("fcntl(F_DUPFD)", &[Descriptor(0)]),
            libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
                ("fcntl(F_SETLK)", &[Descriptor(0)])
            }
            _ => return None,
        },
        libc::SYS_renameat2 => ("renameat2", &[At(0, 1), At(2, 3)]),
        libc::SYS_renameat => ("renameat", &[At(0, 1), At(2, 3)]),
        libc::SYS_linkat => ("linkat", &[At(0, 1), At(2, 3)]),
        libc::SYS_symlinkat => ("symlinkat", &[At(1, 2)]),
        libc::SYS_unlinkat => ("unlinkat", &[At(0, 1)]),
        libc::SYS_mkdirat => ("mkdirat", &[At(0, 1)]),
        libc::SYS_fchmod => ("fchmod", &[Descriptor(0)]),
        libc::SYS_fchown => ("fchown", &[Descriptor(0)]),
        libc::SYS_fchmodat => ("fchmodat", &[At(0, 1)]),
        libc::SYS_fchownat => ("fchownat", &[At(0, 1)]),
        libc::SYS_utimensat => ("utimensat", &[At(0, 1)]),
        libc::SYS_statx => ("statx", &[At(0, 1)]),
        libc::SYS_newfstatat => ("newfstatat", &[At(0, 1)]),
        libc::SYS_fstat => ("fstat", &[Descriptor(0)]),
        libc::SYS_faccessat => ("faccessat", &[At(0, 1)]),
        libc::SYS_faccessat2 => ("faccessat2", &[At(0, 1)]),
        libc::SYS_readlinkat => ("readlinkat", &[At(0, 1)]),
        libc::SYS_chdir => ("chdir", &[Whole(0)]),
        libc::SYS_socket => ("socket", &[]),
        libc::SYS_socketpair => ("socketpair", &[]),
        _ => return None,
    };
    Some(call)
}

/// The calls without a directory that only old processors have.
#[cfg(target_arch = "x86_64")]
fn old_file_call(number: i64) -> Option<(&'static str, &'static [Takes])> {
    let call: (&'static str, &'static [Takes]) = match number {
        libc::SYS_open => ("open", &[Whole(0)]),
        libc::SYS_creat => ("creat", &[Whole(0)]),
        libc::SYS_rename => ("rename", &[Whole(0), Whole(1)]),
        libc::SYS_link => ("link", &[Whole(0), Whole(1)]),
        libc::SYS_symlink => ("symlink", &[Whole(1)]),
        libc::SYS_unlink => ("unlink", &[Whole(0)]),
        libc::SYS_rmdir => ("rmdir", &[Whole(0)]),
        libc::SYS_mkdir => ("mkdir", &[Whole(0)]),
        libc::SYS_chmod => ("chmod", &[Whole(0)]),
        libc::SYS_chown => ("chown", &[Whole(0)]),
        libc::SYS_lchown => ("lchown", &[Whole(0)]),
        libc::SYS_stat => ("stat", &[Whole(0)]),
        libc::SYS_lstat => ("lstat", &[Whole(0)]),
        libc::SYS_access => ("access", &[Whole(0)]),
        libc::SYS_readlink => ("readlink", &[Whole(0)]),
        _ => return None,
    };
    Some(call)
}

#[cfg(not(target_arch = "x86_64"))]
fn old_file_call(_: i64) -> Option<(&'static str, &'static [Takes])> {
    None
}
