//! Holds by a process of their own, which lives on when this one ends.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::channel::{Channel, Message};
use super::holder_main::allow_many_files;
use super::moving::Moving;
use super::pending::PendingHold;
use super::{Claims, HeldPort, HoldBackend, HoldDirectory, HoldError};
use crate::fs::describe;
use crate::model::{HoldKind, Reservation};
use crate::os;

/// Starts a holder process for what was claimed.
#[derive(Debug)]
pub struct Background {
    directory: HoldDirectory,
    program: OsString,
    arguments: Vec<OsString>,
    claims: Claims,
    moving: Moving,
    begun: RefCell<Option<Begun>>,
}

/// A holder process that has everything but the word that it may stay.
#[derive(Debug)]
struct Begun {
    birth: PendingHold,
    child: Child,
    caller: Channel,
    ports: Vec<HeldPort>,
}

impl Background {
    /// Holders have their files in the directory. They are started as this program with these arguments, which has to call
    /// [`holder_main`](super::holder_main) immediately.
    pub fn new<A: Into<OsString>>(
        directory: HoldDirectory,
        program: impl Into<OsString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        allow_many_files();
        Self {
            moving: Moving::new(directory.clone()),
            directory,
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            claims: Claims::default(),
            begun: RefCell::default(),
        }
    }

    /// A holder that waits for what it is to hold. It starts while we go on.
    fn spawn(&self) -> io::Result<(Child, Channel)> {
        let (caller, theirs) = Channel::pair()?;
        let child = Command::new(&self.program)
            // What a list of processes shows.
            .arg0("portkeeper")
            .args(&self.arguments)
            .env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((child, caller))
    }
}

impl HoldBackend for Background {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    fn copy(&self, reservation: &Reservation, kind: HoldKind) -> Result<(), HoldError> {
        self.claims.add(self.moving.copy(reservation, kind)?);
        Ok(())
    }

    fn begin(&self, reservations: &mut [Reservation]) -> Result<(), HoldError> {
        let ports = self.claims.take(reservations);
        let (child, caller) = self.spawn().map_err(HoldError::NotStarted)?;
        let child = Guard(Some(child));
        let holder = os::process_id(child.id())?.ok_or_else(|| HoldError::GaveUp("it ended immediately".to_owned()))?;
        let birth = PendingHold::prepare(&self.directory, holder, reservations, ports.iter().map(|held| held.kind))?;
        hand_over(&birth, &ports, &caller).map_err(|error| gave_up(&error))?;
        *self.begun.borrow_mut() = Some(Begun { birth, child: child.keep(), caller, ports });
        Ok(())
    }

    fn commit(&self) -> Result<(), HoldError> {
        let Some(Begun { birth, child, caller, ports }) = self.begun.take() else { return Ok(()) };
        let child = Guard(Some(child));
        caller.send(&Message::Commit, &[]).and_then(|()| caller.done()).map_err(|error| gave_up(&error))?;
        // It lives on without us, so nothing waits for its end.
        drop(child.keep());
        birth.succeed();
        self.moving.finish(&ports);
        Ok(())
    }

    fn cancel(&self) {
        self.claims.clear();
        self.moving.cancel();
        if let Some(Begun { child, .. }) = self.begun.take() {
            drop(Guard(Some(child)));
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn hand_over(birth: &PendingHold, ports: &[HeldPort], to: &Channel) -> io::Result<()> {
    if let Some((lock, control)) = birth.belongings() {
        to.send(&Message::Begin(birth.begin()), &[lock.file().as_fd(), control.as_fd()])?;
    }
    ports.iter().try_for_each(|held| to.send_port(held))
}

fn gave_up(error: &io::Error) -> HoldError {
    HoldError::GaveUp(describe(error))
}

/// A child that is ended when something goes wrong.
struct Guard(Option<Child>);

impl Guard {
    fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    fn keep(mut self) -> Child {
        self.0.take().expect("a guard has its child until it is kept")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
