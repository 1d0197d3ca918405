//! Starts a program in two steps: first the process, which says that it is there and waits, then the program in it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::{self, JoinHandle};

use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::fds::Passed;
use super::{Run, activation, signals};

/// Installs something in the child, and returns a descriptor for us. Runs between fork and exec.
pub(crate) type Install = fn() -> Result<OwnedFd, Errno>;

/// A child that waits for our word before it runs its program.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its pid.
    pub(crate) pid: u32,
    /// What came of [`Install`], if there was one.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has something to install"))]
    pub(crate) installed: Option<Result<OwnedFd, Errno>>,
    word: UnixStream,
    spawning: JoinHandle<io::Result<Child>>,
}

/// What the child says: its pid, and the error of [`Install`], or one of these.
type Message = [u8; 8];
const NOTHING_TO_INSTALL: i32 = 0;
const DESCRIPTOR_FOLLOWS: i32 = -1;

/// The command as the standard library has it.
pub(crate) fn command(run: &Run, program: &Path) -> Command {
    let mut command = Command::new(program);
    let (own, arguments) = run.command.split_first().expect("a command has a program");
    for key in activation::VARIABLES {
        command.env_remove(key);
    }
    command.arg0(own).args(arguments).envs(run.environment.iter().map(|(key, value)| (key, value)));
    command
}

/// The environment that the command gets.
pub(crate) fn environment(run: &Run) -> impl Iterator<Item = (OsString, OsString)> {
    let own = run.environment.clone();
    let inherited = std::env::vars_os().filter(move |(key, _)| !own.iter().any(|(name, _)| name == key));
    inherited.chain(run.environment.clone())
}

/// Starts the process.
///
/// # Errors
/// What the system says.
pub(crate) fn launch(
    mut command: Command,
    install: Option<Install>,
    mut passed: Option<Passed>,
) -> io::Result<Waiting> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let beyond = passed.as_ref().map_or(0, Passed::beyond);
    let theirs = UnixStream::from(fcntl_dupfd_cloexec(theirs, beyond)?);
    // The standard library's own descriptors must not get these numbers either.
    let reserved = passed.as_ref().map(|passed| passed.reserve_numbers(&ours)).transpose()?;
    let parents = ours.as_raw_fd();
    #[expect(unsafe_code, reason = "what happens between fork and exec")]
    // SAFETY: all of it only makes system calls: the child of a process with threads may do nothing else (fork(2)). The closed
    // descriptor is the child's copy, and nothing there uses it.
    unsafe {
        command.pre_exec(move || {
            signals::reset();
            // Or the end of the parent would not be the end of the conversation.
            libc::close(parents);
            report(&theirs, install)?;
            wait_for_word(&theirs)?;
            match &mut passed {
                Some(passed) => Err(passed.exec()),
                None => Ok(()),
            }
        });
    }
    // `spawn` returns when the program runs, and that is when we say so.
    let spawning = thread::Builder::new().name("spawn".to_owned()).spawn(move || {
        let child = command.spawn();
        drop(reserved);
        child
    })?;
    let mut message = Message::default();
    if ours.read_exact(&mut message).is_err() {
        let error = spawning.join().map_err(|_| io::Error::other("the thread that starts the program panicked"))?.err();
        return Err(error.unwrap_or_else(|| io::Error::other("its process ended before it could start")));
    }
    let [pid, code] =
        [0, 4].map(|at| i32::from_ne_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]]));
    let installed = match code {
        NOTHING_TO_INSTALL => None,
        DESCRIPTOR_FOLLOWS => Some(Ok(receive(&ours)?)),
        errno => Some(Err(Errno::from_raw_os_error(errno))),
    };
    Ok(Waiting { pid: pid.unsigned_abs(), installed, word: ours, spawning })
}

impl Waiting {
    /// Lets it run its program.
    ///
    /// # Errors
    /// Why the program cannot be run.
    pub(crate) fn go(mut self) -> io::Result<()> {
        // A child that was killed meanwhile does not hear it, and is waited for like any other.
        let _ = self.word.write_all(&[1]);
        self.end().map(drop)
    }

    /// Makes it end without having run anything.
    pub(crate) fn abandon(self) {
        let Self { word, spawning, .. } = self;
        drop(word);
        // It fails, as it is meant to, and the standard library has waited for it.
        let _ = spawning.join();
    }

    fn end(self) -> io::Result<Child> {
        self.spawning.join().map_err(|_| io::Error::other("the thread that starts the program panicked"))?
    }
}

/// In the child: says that it is there.
fn report(parent: &UnixStream, install: Option<Install>) -> io::Result<()> {
    let installed = install.map(|install| install());
    let code = match &installed {
        None => NOTHING_TO_INSTALL,
        Some(Ok(_)) => DESCRIPTOR_FOLLOWS,
        Some(Err(errno)) => errno.raw_os_error(),
    };
    let mut message = Message::default();
    message[..4].copy_from_slice(&std::process::id().to_ne_bytes());
    message[4..].copy_from_slice(&code.to_ne_bytes());
    (&mut &*parent).write_all(&message)?;
    if let Some(Ok(descriptor)) = installed {
        send(parent, &descriptor)?;
    }
    Ok(())
}

/// In the child: waits until the program may run.
fn wait_for_word(parent: &UnixStream) -> io::Result<()> {
    match (&mut &*parent).read(&mut [0]) {
        Ok(1) => Ok(()),
        Ok(_) => Err(Errno::CANCELED.into()),
        Err(error) => Err(error),
    }
}

/// Sends a copy of a descriptor (`SCM_RIGHTS`, unix(7)).
fn send(to: &UnixStream, descriptor: impl AsFd) -> io::Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    let descriptors = [descriptor.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(to, &[io::IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
    Ok(())
}

fn receive(from: &UnixStream) -> io::Result<OwnedFd> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    // Nothing else is started meanwhile that could inherit it.
    recvmsg(from, &mut [io::IoSliceMut::new(&mut byte)], &mut control, RecvFlags::empty())?;
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let received = received.ok_or_else(|| io::Error::other("the child sent no descriptor"))?;
    rustix::io::fcntl_setfd(&received, rustix::io::FdFlags::CLOEXEC)?;
    Ok(received)
}
