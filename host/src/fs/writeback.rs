//! Writing that begins before a process waits for it.

use std::fs::File;

/// Lets the system begin to write to the disk what the file holds, and doesn't wait for it. It promises nothing: the sync that does
/// must follow.
///
/// Where many files are synced, this comes first, for all of them. A journalling file system then finds their places on the disk
/// together, and the first sync commits that to the journal for the others, too (sync_file_range(2), `SYNC_FILE_RANGE_WRITE`).
#[cfg(target_os = "linux")]
pub fn begin_writing(file: &File) {
    use std::os::fd::AsRawFd;
    // SAFETY: the call takes no pointer, and the file is open.
    #[expect(unsafe_code, reason = "rustix has no sync_file_range(2)")]
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE);
    }
}

/// Other systems begin when a process syncs.
#[cfg(not(target_os = "linux"))]
pub fn begin_writing(_: &File) {}
