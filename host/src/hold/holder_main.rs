//! A holder's first moments: its own program, started by a caller that may die at any time.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, chdir, getrlimit, setrlimit, setsid};
use rustix::stdio::{dup2_stdin, stdin};

use super::channel::{Begin, Channel, Message};
use super::{HeldPort, HoldDirectory, Holder};
use crate::fs::{Lock, describe};

/// Turns this process into a holder, and returns when the hold is over.
///
/// Its standard input is the channel to the process that started it; everything else that it may have been given is closed. It must
/// have no threads and no open files of its own yet.
///
/// # Errors
/// The caller died or gave up before it said that the ports are reserved, or the system failed.
pub fn holder_main() -> io::Result<()> {
    let caller = detach()?;
    let mut begin: Option<(Begin, Lock, OwnedFd)> = None;
    let mut ports: Vec<HeldPort> = Vec::new();
    let born = loop {
        match caller.receive()? {
            Some((Message::Begin(found), attached)) => begin = take_two(found, attached),
            Some((Message::Port(port), sockets)) => ports.push(port.with(sockets)),
            Some((Message::Commit, _)) => break begin.take(),
            Some(_) | None => break None,
        }
        if begin.is_none() {
            break None;
        }
    };
    let Some((found, lock, control)) = born else {
        if let Some((begin, ..)) = begin {
            HoldDirectory::from(PathBuf::from(begin.directory)).remove(begin.id);
        }
        return Err(io::Error::other("the caller is gone"));
    };
    match Holder::new(found, ports, lock, control) {
        Ok(holder) => {
            caller.send(&Message::Done, &[])?;
            drop(caller);
            holder.serve().map(drop)
        }
        Err(error) => caller.send(&Message::Failed(describe(&error)), &[]),
    }
}

fn take_two(begin: Begin, attached: Vec<OwnedFd>) -> Option<(Begin, Lock, OwnedFd)> {
    let [file, control] = <[OwnedFd; 2]>::try_from(attached).ok()?;
    Some((begin, Lock::handed_over(File::from(file)), control))
}

/// Leaves the caller's session, directory and files, and returns the conversation with it.
fn detach() -> io::Result<Channel> {
    close_from_third();
    let caller = Channel::inherited(fcntl_dupfd_cloexec(stdin(), 3)?);
    dup2_stdin(File::open("/dev/null")?)?;
    // Fails where this process leads a session already, which is just as well.
    let _ = setsid();
    chdir("/")?;
    allow_many_files();
    let _ = rustix::thread::set_name(c"portkeeper");
    Ok(caller)
}

/// What a shell or a careless program has open and does not close on exec: pipes would never end, locks never be free.
fn close_from_third() {
    const LAST: libc::c_uint = libc::c_uint::MAX;
    #[expect(unsafe_code, reason = "neither the standard library nor rustix has close_range(2)")]
    // SAFETY: nothing in this process owns a descriptor from 3 on: it has just been started, and has opened nothing.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3 as libc::c_uint, LAST, 0 as libc::c_uint) };
}

/// Two sockets for each port can be more than the usual 1024 files. The limit that may be had is.
pub(super) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
