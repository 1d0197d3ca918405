//! The holder: has the sockets, answers its control socket, and ends in time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
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

use super::callers::{Answer, Callers, not_held};
use super::channel::{Begin, Message, Until, listen_to_callers};
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
    /// It received this signal.
    Signal(i32),
    /// Its hold file is gone, so no process can find it anymore.
    FileGone,
}

/// How often a hold file is looked at that cannot be watched.
const UNWATCHED: Duration = Duration::from_secs(1);

/// A port, as callers name it.
type What = (Protocol, Port);

/// A holder. Dropped, it lets go of everything, and leaves no file.
#[derive(Debug)]
pub struct Holder {
    ports: Vec<HeldPort>,
    directory: HoldDirectory,
    id: HoldId,
    lock: Lock,
    control: OwnedFd,
    callers: Callers,
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
    Caller(usize),
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
        let callers = Callers::default();
        let this = Self { ports, directory, id: begin.id, lock, control, callers, clock, process, signals, watch };
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
                // A caller that makes no sense, or hangs up, harms no other caller.
                Event::Call => drop(self.callers.take(&self.control)),
                Event::Caller(index) => {
                    if let Some(message) = self.callers.question(index) {
                        let answers = self.answers(message);
                        self.callers.answer(index, answers);
                    }
                    self.callers.speak(index, &self.ports);
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

    /// Waits for the next event. Reasons to end come before calls, and callers before new ones.
    fn next_event(&mut self) -> io::Result<Event> {
        loop {
            let patience = self.callers.patience();
            let unwatched = self.watch.is_none().then_some(UNWATCHED);
            let patience = [patience, unwatched].into_iter().flatten().min();
            let patience = patience.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            let (events, mut waiting): (Vec<Event>, Vec<PollFd<'_>>) = self.events().unzip();
            match poll(&mut waiting, patience.as_ref()) {
                Ok(0) if self.watch.is_none() => return Ok(Event::File),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    let ready = waiting.iter().position(|waiting| !waiting.revents().is_empty());
                    return events
                        .into_iter()
                        .nth(ready.unwrap_or_default())
                        .ok_or_else(|| io::ErrorKind::Other.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// All that there is to wait for, the most important first.
    fn events(&self) -> impl Iterator<Item = (Event, PollFd<'_>)> {
        let signals = self.signals.iter().map(|(number, pipe)| (Event::Signal(*number), pipe.as_fd()));
        let clock = self.clock.iter().map(|clock| (Event::Clock, clock.as_fd()));
        let process = self.process.iter().map(|process| (Event::Process, process.as_fd()));
        let file = self.watch.iter().map(|watch| (Event::File, watch.as_fd()));
        let to_end = signals.chain(clock).chain(process).chain(file);
        let to_end = to_end.map(|(event, fd)| (event, PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let callers = self.callers.waits().enumerate();
        let callers = callers.map(|(index, (fd, flags))| (Event::Caller(index), PollFd::from_borrowed_fd(fd, flags)));
        to_end.chain(callers).chain([(Event::Call, PollFd::new(&self.control, PollFlags::IN))])
    }

    /// Does what a caller asks, and says what it is to hear.
    fn answers(&mut self, message: Message) -> Vec<Answer> {
        match message {
            Message::Share(ports) => {
                let held = |what: &&What| self.ports.iter().any(|held| (held.protocol, held.port) == **what);
                let shared = ports.iter().take_while(held).map(|&(protocol, port)| Answer::Port(protocol, port));
                let missing = ports.iter().find(|what| !held(what));
                let last = missing.map_or(Message::Done, |&(protocol, port)| not_held(protocol, port));
                shared.chain([Answer::Message(last)]).collect()
            }
            Message::Forget(ports) => {
                self.forget(&ports);
                vec![Answer::Message(Message::Done)]
            }
            _ => {
                let why = "a holder shares and forgets, and nothing else".to_owned();
                vec![Answer::Message(Message::Failed(why))]
            }
        }
    }

    /// Closes the sockets first: when the caller hears of it, the kernel has the ports back.
    fn forget(&mut self, ports: &[(Protocol, Port)]) {
        self.ports.retain(|held| !ports.contains(&(held.protocol, held.port)));
        if self.ports.is_empty() {
            self.directory.remove(self.id);
            return;
        }
        let rewritten = self.directory.read(self.id).and_then(|listed| {
            // A file that says nothing goes on saying nothing: an empty list would be a lie about the ports that are left.
            let Some(mut left) = listed else { return Ok(None) };
            left.retain(|reservation| !ports.contains(&(reservation.protocol, reservation.port)));
            self.directory.rewrite(self.id, &left).map(Some)
        });
        match rewritten {
            Ok(Some(lock)) => {
                self.lock = lock;
                self.watch = watch(&self.directory.file(self.id)).ok();
            }
            Ok(None) => {}
            // On a full disk, or without a look at the file: rather nothing than what is no longer true.
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
    // Zero would mean never; a time long past fires immediately.
    let end = end.max(Duration::from_nanos(1)).try_into().unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    timerfd_settime(&clock, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: never, it_value: end })?;
    Ok(clock)
}

/// A descriptor that can be read when the process has ended (pidfd_open(2)).
fn descriptor_of(process: &ProcessId) -> io::Result<OwnedFd> {
    let ended = || io::Error::other(format!("process {} has ended", process.pid));
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or_else(ended)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    // Opened first, looked at afterward: the descriptor is that of the process that was looked at.
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
