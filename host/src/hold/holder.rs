//! The holder: has the sockets, answers its control socket, and ends in time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::channel::{Begin, Channel, Message, Until, listen_to_callers};
use super::{HeldPort, HoldDirectory};
use crate::fs::Lock;
use crate::model::{HoldId, Port, ProcessId, Protocol};
use crate::os::{self, Liveness};

/// Why a holder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its last port was released or taken over.
    Released,
    /// Its time is up.
    TimeOver,
    /// The process that it was to hold for has ended.
    ProcessEnded,
    /// It was told to by this signal.
    Signal(i32),
    /// Its hold file is gone, so nobody can find it any more.
    FileGone,
}

/// How often a hold file is looked at that cannot be watched.
const UNWATCHED: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// A holder. Dropped, it lets go of everything, and leaves no file.
#[derive(Debug)]
pub struct Holder {
    ports: Vec<HeldPort>,
    directory: HoldDirectory,
    id: HoldId,
    lock: Lock,
    control: OwnedFd,
    clock: Option<OwnedFd>,
    process: Option<OwnedFd>,
    signals: Vec<(i32, UnixStream)>,
    /// Wakes us when the file loses its name. None where the user has no inotify instances left (inotify(7)): then the file is looked
    /// at now and then.
    watch: Option<OwnedFd>,
}

/// What a holder wakes up for.
enum Event {
    Call,
    File,
    Clock,
    Process,
    Signal(i32),
}

impl Holder {
    /// A holder of these ports. From here on the signals that end processes end the hold.
    pub(super) fn new(begin: Begin, ports: Vec<HeldPort>, lock: Lock, control: OwnedFd) -> io::Result<Self> {
        let (clock, process) = match begin.until {
            Until::Released => (None, None),
            Until::SinceBoot(end) => (Some(alarm(end)?), None),
            Until::Process(process) => (None, Some(descriptor_of(&process)?)),
        };
        let signals = [SIGTERM, SIGINT, SIGHUP].into_iter().map(pipe_of).collect::<io::Result<_>>()?;
        let directory = HoldDirectory::from(PathBuf::from(begin.directory));
        let watch = watch(&directory.file(begin.id)).ok();
        let this = Self { ports, directory, id: begin.id, lock, control, clock, process, signals, watch };
        listen_to_callers(&this.control)?;
        Ok(this)
    }

    /// Holds until there is a reason to end.
    ///
    /// # Errors
    /// What the system says to waiting.
    pub fn serve(mut self) -> io::Result<End> {
        loop {
            match self.next_event()? {
                Event::Call => {
                    // A caller who makes no sense, or hangs up, harms nobody else.
                    let _ = Channel::answer(&self.control).and_then(|channel| self.converse(&channel));
                    if self.ports.is_empty() {
                        return Ok(End::Released);
                    }
                }
                Event::File => {
                    self.watch.iter().for_each(drain);
                    if self.lock.file().metadata()?.nlink() == 0 {
                        return Ok(End::FileGone);
                    }
                }
                Event::Clock => return Ok(End::TimeOver),
                Event::Process => return Ok(End::ProcessEnded),
                Event::Signal(number) => return Ok(End::Signal(number)),
            }
        }
    }

    /// Waits for the next event. Reasons to end come before calls.
    fn next_event(&self) -> io::Result<Event> {
        let signals = self.signals.iter().map(|(number, pipe)| (Event::Signal(*number), pipe.as_fd()));
        let clock = self.clock.iter().map(|clock| (Event::Clock, clock.as_fd()));
        let process = self.process.iter().map(|process| (Event::Process, process.as_fd()));
        let file = self.watch.iter().map(|watch| (Event::File, watch.as_fd()));
        let calls = [(Event::Call, self.control.as_fd())];
        let (events, descriptors): (Vec<Event>, Vec<BorrowedFd<'_>>) =
            signals.chain(clock).chain(process).chain(file).chain(calls).unzip();
        let mut waiting: Vec<_> = descriptors.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let patience = if self.watch.is_some() { None } else { Some(&UNWATCHED) };
        loop {
            match poll(&mut waiting, patience) {
                Ok(0) => return Ok(Event::File),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let ready = waiting.iter().position(|waiting| !waiting.revents().is_empty());
        events.into_iter().nth(ready.unwrap_or_default()).ok_or_else(|| io::ErrorKind::Other.into())
    }

    fn converse(&mut self, caller: &Channel) -> io::Result<()> {
        while let Some((message, _)) = caller.receive()? {
            match message {
                Message::Share(ports) => self.share(&ports, caller)?,
                Message::Forget(ports) => {
                    self.forget(&ports);
                    caller.send(&Message::Done, &[])?;
                }
                _ => caller.send(&Message::Failed("a holder shares and forgets, and nothing else".to_owned()), &[])?,
            }
        }
        Ok(())
    }

    fn share(&self, ports: &[(Protocol, Port)], caller: &Channel) -> io::Result<()> {
        for &(protocol, port) in ports {
            match self.ports.iter().find(|held| (held.protocol, held.port) == (protocol, port)) {
                Some(held) => caller.send_port(held)?,
                None => return caller.send(&Message::Failed(format!("it does not hold {protocol} port {port}")), &[]),
            }
        }
        caller.send(&Message::Done, &[])
    }

    /// Closes the sockets first: when the caller hears of it, the kernel has the ports back.
    fn forget(&mut self, ports: &[(Protocol, Port)]) {
        self.ports.retain(|held| !ports.contains(&(held.protocol, held.port)));
        if self.ports.is_empty() {
            self.directory.remove(self.id);
            return;
        }
        let mut left = self.directory.read(self.id);
        left.retain(|reservation| !ports.contains(&(reservation.protocol, reservation.port)));
        match self.directory.rewrite(self.id, &left) {
            Ok(lock) => {
                self.lock = lock;
                self.watch = watch(&self.directory.file(self.id)).ok();
            }
            // On a full disk: rather nothing than what is no longer true.
            Err(_) => drop(self.lock.file().set_len(0)),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.ports.clear();
        self.directory.remove(self.id);
    }
}

/// A pipe that the signal writes to.
fn pipe_of(signal: i32) -> io::Result<(i32, UnixStream)> {
    let (ours, handlers) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(signal, handlers)?;
    Ok((signal, ours))
}

/// A descriptor that can be read from this time of `CLOCK_BOOTTIME` on: the clock that goes on while the machine sleeps.
fn alarm(end: Duration) -> io::Result<OwnedFd> {
    let clock = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Zero would mean never; a time long past rings at once.
    let end = end.max(Duration::from_nanos(1)).try_into().unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    timerfd_settime(&clock, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: never, it_value: end })?;
    Ok(clock)
}

/// A descriptor that can be read when the process has ended (pidfd_open(2)).
fn descriptor_of(process: &ProcessId) -> io::Result<OwnedFd> {
    let ended = || io::Error::other(format!("process {} has ended", process.pid));
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or_else(ended)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    // Opened first, looked at afterwards: the descriptor is that of the process that was looked at.
    match os::liveness(process) {
        Liveness::Ended => Err(ended()),
        Liveness::Alive | Liveness::Unknown => Ok(descriptor),
    }
}

/// A descriptor that can be read when the file loses its name (`IN_ATTRIB`, inotify(7)).
fn watch(file: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, file, inotify::WatchFlags::ATTRIB)?;
    Ok(watch)
}

/// Takes the events off the descriptor.
fn drain(watch: &OwnedFd) {
    let mut space = [const { std::mem::MaybeUninit::uninit() }; 1024];
    let mut reader = inotify::Reader::new(watch, &mut space);
    while reader.next().is_ok() {}
}
