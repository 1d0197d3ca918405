//! File systems of other machines.

use std::path::Path;

/// Magic numbers of file systems that live on other machines (statfs(2)): NFS, SMB, CIFS, SMB2, AFS, Coda, Ceph, 9P, and FUSE, which may
/// be anything and is none of those where it serves a local disk, so it is left out.
#[cfg(target_os = "linux")]
const NETWORK: [u32; 8] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x5346_414F, 0x7375_7245, 0x00C3_6400, 0x0102_1997];

/// Whether the file or directory lies on a file system of another machine, as far as the platform reports.
#[must_use]
#[cfg(target_os = "linux")]
pub fn is_on_network(path: &Path) -> bool {
    // The kernel's type is signed on some machines; the number fits into 32 bits on all.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the magic numbers have 32 bits")]
    rustix::fs::statfs(path).is_ok_and(|system| NETWORK.contains(&(system.f_type as u32)))
}

/// Whether the file or directory lies on a file system of another machine, as far as the platform reports.
#[must_use]
#[cfg(target_os = "macos")]
pub fn is_on_network(path: &Path) -> bool {
    // MNT_LOCAL, sys/mount.h: the file system is stored locally.
    const LOCAL: u32 = 0x1000;
    rustix::fs::statfs(path).is_ok_and(|system| system.f_flags & LOCAL == 0)
}

/// Whether the file or directory lies on a file system of another machine, as far as the platform reports.
#[must_use]
#[cfg(windows)]
pub fn is_on_network(path: &Path) -> bool {
    // `\\server\share`, as a canonical path begins with `\\?\UNC`.
    path.canonicalize().is_ok_and(|path| path.to_string_lossy().starts_with(r"\\?\UNC\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_is_local() {
        assert!(!is_on_network(&std::env::temp_dir()));
        assert!(!is_on_network(Path::new("/no/such/directory")));
    }
}
