//! The processes that talk to a holder: several at a time, each about one thing, and none for long, so that no caller keeps it from
//! anything else.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::HeldPort;
use super::channel::{Channel, Message, PATIENCE};
use crate::model::{Port, Protocol};

/// How many are listened to at a time. With one more the first of them has to go: a caller that wants something says so immediately.
const MOST: usize = 32;

/// The callers, in the order of their calls.
#[derive(Debug, Default)]
pub(super) struct Callers(Vec<Caller>);

/// One call: a message, and its answers.
#[derive(Debug)]
struct Caller {
    channel: Channel,
    /// When it has to be over.
    until: Instant,
    /// What is still to be said; none before there was a question.
    answers: Option<VecDeque<Answer>>,
}

/// An answer to a caller.
#[derive(Debug)]
pub(super) enum Answer {
    /// Here are the sockets of the port.
    Port(Protocol, Port),
    /// This.
    Message(Message),
}

impl Callers {
    /// Takes the next call.
    ///
    /// # Errors
    /// What the system says: the caller has hung up, or is another user's process.
    pub(super) fn take(&mut self, control: impl AsFd) -> io::Result<()> {
        let channel = Channel::answer(control)?;
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Caller { channel, until: Instant::now() + PATIENCE, answers: None });
        Ok(())
    }

    /// Hangs up on those whose time is over, and says how long the next one has; none when there is no caller.
    pub(super) fn patience(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.0.retain(|caller| caller.until > now);
        self.0.iter().map(|caller| caller.until.saturating_duration_since(now)).min()
    }

    /// What each of them is waited for, in their order.
    pub(super) fn waits(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        self.0.iter().map(|caller| {
            let flags = if caller.answers.is_some() { PollFlags::OUT } else { PollFlags::IN };
            (caller.channel.as_fd(), flags)
        })
    }

    /// What the caller at the index asks; none when it asks nothing more. One that makes no sense, or has hung up, is forgotten.
    pub(super) fn question(&mut self, index: usize) -> Option<Message> {
        let caller = self.0.get(index).filter(|caller| caller.answers.is_none())?;
        match caller.channel.receive() {
            Ok(Some((message, _))) => Some(message),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Ok(None) | Err(_) => {
                self.0.remove(index);
                None
            }
        }
    }

    /// Answers the caller at the index.
    pub(super) fn answer(&mut self, index: usize, answers: Vec<Answer>) {
        if let Some(caller) = self.0.get_mut(index) {
            caller.answers = Some(answers.into());
        }
    }

    /// Says to the caller at the index as much as it takes. When all is said, the call is over.
    pub(super) fn speak(&mut self, index: usize, held: &[HeldPort]) {
        let Some(Caller { channel, answers: Some(answers), .. }) = self.0.get_mut(index) else { return };
        while let Some(answer) = answers.front() {
            match say(channel, answer, held) {
                Ok(()) => drop(answers.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        self.0.remove(index);
    }
}

fn say(channel: &Channel, answer: &Answer, held: &[HeldPort]) -> io::Result<()> {
    match answer {
        Answer::Message(message) => channel.send(message, &[]),
        Answer::Port(protocol, port) => match held.iter().find(|held| (held.protocol, held.port) == (*protocol, *port))
        {
            Some(held) => channel.send_port(held),
            // Another process has taken it since it was asked for.
            None => channel.send(&not_held(*protocol, *port), &[]),
        },
    }
}

/// The answer about a port that is not held, or no longer.
pub(super) fn not_held(protocol: Protocol, port: Port) -> Message {
    Message::Failed(format!("it does not hold {protocol} port {port}"))
}
