//! Sockets that a program is started with, as systemd does it (sd_listen_fds(3)).
//!
//! The sockets are descriptors 3, 4 and so on. `LISTEN_FDS` says how many, `LISTEN_FDNAMES` what they are called, and `LISTEN_PID` for
//! which process they are meant. Only the child itself knows that number before its program runs, so it starts the program by
//! itself, with an environment in which a place is left for it.

use std::ffi::{CString, OsString, c_char};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::io::fcntl_dupfd_cloexec;

use super::activation::VARIABLES;

/// The first descriptor (`SD_LISTEN_FDS_START`).
pub(crate) const FIRST: RawFd = 3;

const PID: &[u8] = b"LISTEN_PID=";
/// What a pid takes at most, and the end of a C string.
const DIGITS: usize = 11;

/// Sockets for a program that is about to start.
#[derive(Debug)]
pub(crate) struct Passed {
    sockets: Vec<OwnedFd>,
    image: Image,
}

/// What execve(2) wants. Made before the fork, because nothing can be made after it.
#[derive(Debug)]
struct Image {
    path: CString,
    /// What the pointers point to; the environment's last entry is `LISTEN_PID`.
    _arguments: Vec<CString>,
    _environment: Vec<CString>,
    pid: Box<[u8]>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
}

#[expect(unsafe_code, reason = "the pointers point to what the structure owns on the heap, and nothing changes it")]
// SAFETY: they are read by one child only, after its fork.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Passed {
    /// Copies of the sockets, out of the way of the numbers that they will get, and the program that gets them.
    ///
    /// # Errors
    /// Too many open files; a NUL in an argument.
    pub(crate) fn new(
        sockets: &[impl AsFd],
        names: &str,
        program: &Path,
        arguments: &[OsString],
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let beyond = FIRST + sockets.len() as RawFd;
        let own = [("LISTEN_FDS", sockets.len().to_string()), ("LISTEN_FDNAMES", names.to_owned())];
        let own = own.map(|(key, value)| (OsString::from(key), OsString::from(value)));
        let replaced = |key: &OsString| VARIABLES.iter().any(|name| key == name);
        let environment = environment.filter(|(key, _)| !replaced(key)).chain(own.clone());
        Ok(Self {
            sockets: sockets
                .iter()
                .map(|socket| fcntl_dupfd_cloexec(socket, beyond))
                .collect::<rustix::io::Result<_>>()?,
            image: Image::new(program, arguments, environment)?,
        })
    }

    /// Descriptors in all the places that the sockets will have: as long as they are open, nothing else gets these numbers.
    ///
    /// # Errors
    /// Too many open files.
    pub(crate) fn reserve_numbers(&self, any: impl AsFd) -> io::Result<Vec<OwnedFd>> {
        let beyond = FIRST + self.sockets.len() as RawFd;
        let mut taken = Vec::new();
        loop {
            let fd = fcntl_dupfd_cloexec(&any, FIRST)?;
            if fd.as_raw_fd() >= beyond {
                return Ok(taken);
            }
            taken.push(fd);
        }
    }

    /// The number that no passed socket will have, and none above.
    pub(crate) fn beyond(&self) -> RawFd {
        FIRST + self.sockets.len() as RawFd
    }

    /// Puts the sockets in their places, and runs the program. Returns only if that fails. Runs between fork and exec: it makes system
    /// calls, and nothing else.
    #[expect(
        unsafe_code,
        reason = "no crate puts a descriptor to a number that nothing owns, or execs with an environment"
    )]
    pub(crate) fn exec(&mut self) -> io::Error {
        for (number, socket) in (FIRST..).zip(&self.sockets) {
            // SAFETY: dup2(2) makes no copy that closes on exec, and `reserve_numbers` has made sure that nothing needs the number.
            if unsafe { libc::dup2(socket.as_raw_fd(), number) } < 0 {
                return io::Error::last_os_error();
            }
        }
        self.image.write_pid(std::process::id());
        let Image { path, argv, envp, .. } = &self.image;
        // SAFETY: all are C strings, and arrays of them with a null pointer at the end.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
        io::Error::last_os_error()
    }
}

impl Image {
    fn new(
        program: &Path,
        arguments: &[OsString],
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let path = CString::new(program.as_os_str().as_bytes())?;
        let text = |text: &OsString| CString::new(text.as_bytes());
        let arguments = arguments.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let entry = |(mut key, value): (OsString, OsString)| {
            key.push("=");
            key.push(value);
            CString::new(key.into_vec())
        };
        let environment = environment.map(entry).collect::<Result<Vec<_>, _>>()?;
        let pid: Box<[u8]> = PID.iter().copied().chain([0; DIGITS]).collect();
        let end = std::ptr::null::<c_char>();
        let argv = arguments.iter().map(|argument| argument.as_ptr()).chain([end]).collect();
        let envp = environment.iter().map(|entry| entry.as_ptr()).chain([pid.as_ptr().cast(), end]).collect();
        Ok(Self { path, _arguments: arguments, _environment: environment, pid, argv, envp })
    }

    /// Writes the number into its place: formatting would do, but might allocate.
    fn write_pid(&mut self, pid: u32) {
        let length = pid.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut rest = pid;
        for digit in self.pid[PID.len()..PID.len() + length].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        // The environment points to it since before it was written.
        let place = self.envp.len() - 2;
        self.envp[place] = self.pid.as_ptr().cast();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn the_pid_is_written_where_the_environment_points() {
        let environment = [("A".into(), "1".into())].into_iter();
        let mut image = Image::new(Path::new("/bin/true"), &["true".into()], environment).unwrap();
        for (pid, text) in [(7, "LISTEN_PID=7"), (4_194_304, "LISTEN_PID=4194304")] {
            image.write_pid(pid);
            assert_eq!(CStr::from_bytes_until_nul(&image.pid).unwrap().to_str(), Ok(text));
            assert_eq!(image.envp[1], image.pid.as_ptr().cast());
        }
        assert_eq!((image.argv.len(), image.envp.len()), (2, 3));
    }
}
