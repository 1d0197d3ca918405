//! Whether something could be written, without writing it.

use std::io;
use std::path::Path;

/// Whether this process could make files in the directory, or make the directory where there is none yet. Nothing is written, so a full
/// disk counts as what it is only where the file system says so.
///
/// # Errors
/// What the system would say.
pub fn can_write_in(directory: &Path) -> io::Result<()> {
    for ancestor in directory.ancestors() {
        match access(ancestor) {
            // Nothing is there yet, so the question is whether it can be made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            answer => return answer,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn access(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};
    if !directory.metadata()?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if is_of_the_kernel(directory) {
        return Err(io::ErrorKind::ReadOnlyFilesystem.into());
    }
    accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    // What has no limit counts no blocks at all.
    let full = statvfs(directory).is_ok_and(|system| system.f_blocks > 0 && system.f_bavail == 0);
    if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

/// Whether the directory shows what the kernel has, as proc and sysfs do: root may write there, and can make nothing.
#[cfg(target_os = "linux")]
fn is_of_the_kernel(directory: &Path) -> bool {
    const KERNELS: [u32; 2] = [0x9FA0, 0x6265_6572];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the magic numbers have 32 bits")]
    rustix::fs::statfs(directory).is_ok_and(|system| KERNELS.contains(&(system.f_type as u32)))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_of_the_kernel(_: &Path) -> bool {
    false
}

#[cfg(not(unix))]
fn access(directory: &Path) -> io::Result<()> {
    let metadata = directory.metadata()?;
    if metadata.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_can_be_made_where_its_parent_can_be_written() {
        let root = tempfile::tempdir().unwrap();
        assert!(can_write_in(&root.path().join("a/b/c")).is_ok());
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(can_write_in(&root.path().join("file/b")).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_files_of_ones_own_cannot_be_written() {
        assert!(can_write_in(Path::new("/proc/no-such-directory/state")).is_err());
    }
}
