//! The file behind a command's name, and what it is.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::HandoverError;

/// Where a shell looks when there is no PATH (execvp(3)).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file that execvp(3) would run.
///
/// # Errors
/// [`HandoverError::NotFound`], and [`HandoverError::NotExecutable`] for a file that this user may not run.
pub(crate) fn find(program: &OsStr) -> Result<PathBuf, HandoverError> {
    let name = || program.to_string_lossy().into_owned();
    let mut denied = None;
    for candidate in candidates(program) {
        match check(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied = Some(error),
            Err(_) => {}
        }
    }
    Err(match denied {
        Some(source) => HandoverError::NotExecutable { program: name(), source },
        None => HandoverError::NotFound { program: name() },
    })
}

fn candidates(program: &OsStr) -> Vec<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let here = |directory: PathBuf| if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
    std::env::split_paths(&path).map(|directory| here(directory).join(program)).collect()
}

fn check(path: &Path) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    Ok(access(path, Access::EXEC_OK)?)
}

/// Why the program cannot be watched as it binds without being harmed; none: it can. Scripts are not looked into.
#[cfg(target_os = "linux")]
pub(crate) fn unfit(path: &Path) -> Option<String> {
    use std::fs::File;
    use std::os::unix::fs::{FileExt, MetadataExt};

    const SET_ID: u32 = 0o6000;
    let shown = path.display();
    let metadata = std::fs::metadata(path).ok()?;
    let capabilities = || rustix::fs::getxattr(path, "security.capability", &mut [0_u8; 0]).is_ok();
    // root needs no new privileges, and so does not have to give them up for the filter.
    if !rustix::process::geteuid().is_root() && (metadata.mode() & SET_ID != 0 || capabilities()) {
        return Some(format!("{shown} gets privileges when it starts, which a watched program does not"));
    }
    let file = match File::open(path) {
        // A program that cannot be read cannot be looked into when it runs either (ptrace(2)).
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Some(format!("{shown} cannot be read by this user, and so it cannot be watched"));
        }
        file => file.ok()?,
    };
    let mut header = [0; 20];
    file.read_exact_at(&mut header, 0).ok()?;
    is_foreign(&header).then(|| format!("{shown} is a 32-bit program, whose calls are not watched"))
}

/// Whether it is an ELF file of 32 bits with another machine than ours (elf(5)): x32 programs have 32 bits, too, but our machine.
#[cfg(target_os = "linux")]
fn is_foreign(header: &[u8; 20]) -> bool {
    const CLASS_32: u8 = 1;
    const X86_64: u16 = 62;
    header.starts_with(b"\x7FELF")
        && header[4] == CLASS_32
        && !(cfg!(target_arch = "x86_64") && u16::from_le_bytes([header[18], header[19]]) == X86_64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(find(OsStr::new("sh")).unwrap().ends_with("sh"));
        assert_eq!(find(OsStr::new("/bin/sh")).unwrap(), Path::new("/bin/sh"));
        assert!(matches!(find(OsStr::new("no-such-program")), Err(HandoverError::NotFound { .. })));
        assert!(matches!(find(OsStr::new("/etc/passwd")), Err(HandoverError::NotExecutable { .. })));
        assert!(matches!(find(OsStr::new("/")), Err(HandoverError::NotExecutable { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn programs_that_watching_would_harm_are_known() {
        let mut header = *b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0";
        assert!(is_foreign(&header), "i386");
        header[4] = 2;
        assert!(!is_foreign(&header));
        assert_eq!(unfit(&find(OsStr::new("sh")).unwrap()), None);
    }
}
