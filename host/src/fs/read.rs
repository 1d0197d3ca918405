//! Reading what may be larger than the caller wants.

use std::fs::File;
use std::io::{self, Read};

/// The file's bytes, from where it stands, and not more than `most` of them: a caller that wants to know whether there are more asks for
/// one more.
///
/// # Errors
/// Whatever the system reports.
pub fn read_up_to(file: File, most: u64) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    read_sized(file, size, most)
}

/// The same of a file whose size is known, or believed to be known.
pub(super) fn read_sized(file: File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let size = size.min(most);
    // With room for one more byte than there are, the end is found without asking for memory again.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default().saturating_add(1));
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_is_cut() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"12345").unwrap();
        let read = |most| read_up_to(File::open(file.path()).unwrap(), most).unwrap();
        assert_eq!([read(0), read(4), read(5), read(u64::MAX)], [&b""[..], b"1234", b"12345", b"12345"]);
    }

    /// Files of /proc say that they are empty.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_does_not_know_its_size_is_read_too() {
        assert!(read_up_to(File::open("/proc/self/stat").unwrap(), 1_000).unwrap().len() > 20);
    }
}
