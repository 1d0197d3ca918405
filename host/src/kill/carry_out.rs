//! Ask, wait, kill.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Plan, Refusal, Sharer, Victim};
use crate::os::{Handle, inspect};

/// A server that was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Ended {
    /// Its pid.
    pub pid: u32,
    /// Its name.
    pub command: String,
    /// How it ended.
    pub how: How,
    /// How many processes ended, those included that shared its socket.
    pub processes: usize,
    /// Those of them that shared its socket.
    pub others: Vec<Sharer>,
    /// How long it had from the moment it was asked until it had ended, or was killed.
    #[serde(skip)]
    pub after: Duration,
    /// Whether what started it still lives, and may do so again.
    #[serde(skip)]
    pub may_be_started_again: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It was asked to, and did.
    Asked,
    /// It did not end in time, and was killed.
    Killed,
}

/// So long a killed process may take to be gone: the kernel has to give back its memory first.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

impl Plan {
    /// Asks every server to end (SIGTERM), and waits up to `patience` for it and for those that share its socket. Those that stay
    /// behind are asked as well; what is left then is killed (SIGKILL).
    ///
    /// # Errors
    /// [`Refusal::Failed`] when a process may not be signaled; those before it have ended.
    pub fn carry_out(&self, patience: Duration) -> Result<Vec<Ended>, Refusal> {
        self.victims.iter().map(|victim| end(victim, patience)).collect()
    }
}

fn end(victim: &Victim, patience: Duration) -> Result<Ended, Refusal> {
    let failed = |source| Refusal::Failed { who: Box::new(victim.portrait.clone()), source };
    let (server, workers) = (&victim.handles[..1], &victim.handles[1..]);
    let others = victim.sharers();
    let may_be_started_again = has_a_starter(victim.portrait.pid);
    let begin = Instant::now();
    let ended = |how| Ended {
        pid: victim.portrait.pid,
        command: victim.portrait.command.clone(),
        how,
        after: begin.elapsed(),
        processes: victim.handles.len(),
        others: others.clone(),
        may_be_started_again,
    };
    server[0].ask_to_end().map_err(failed)?;
    let deadline = Instant::now() + patience;
    // A server that ends properly takes its workers along.
    if all_have_ended(&victim.handles, deadline) {
        return Ok(ended(How::Asked));
    }
    if all_have_ended(server, Instant::now()) {
        workers.iter().try_for_each(Handle::ask_to_end).map_err(failed)?;
        if all_have_ended(workers, Instant::now() + patience) {
            return Ok(ended(How::Asked));
        }
    }
    victim.handles.iter().try_for_each(Handle::kill).map_err(failed)?;
    let killed = ended(How::Killed);
    all_have_ended(&victim.handles, Instant::now() + LAST_PATIENCE);
    Ok(killed)
}

/// Whether something may start the process again when it has ended: what started it, unless that waits for this very command, or the
/// manager of the service that it is.
fn has_a_starter(pid: u32) -> bool {
    match inspect::parent_of(pid) {
        Some(1) => inspect::is_service(pid),
        Some(parent) => !inspect::is_self_or_ancestor(parent),
        None => false,
    }
}

fn all_have_ended(handles: &[Handle], deadline: Instant) -> bool {
    handles.iter().all(|handle| handle.has_ended_within(deadline.saturating_duration_since(Instant::now())))
}
