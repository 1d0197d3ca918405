//! What helps when a port that was asked for is reserved already.

use std::path::Path;

use super::{CommandError, Context};
use crate::doctor::unwritable;
use crate::explain::{Whose, yours};
use crate::fs::can_write_in;
use crate::model::{Port, Reservation};
use crate::registry::Store;
use crate::reserve::Machine;
use crate::who::Reach;

/// So many of the project's other ports are offered.
const OFFERED: usize = 3;

impl Context {
    /// The error, with what helps this project. That is never the release of what belongs to another one.
    pub(crate) fn with_hint(&self, error: CommandError) -> CommandError {
        let hint = error.taken().and_then(|taken| self.hint_for(taken));
        match hint.or_else(|| self.way_out(error.refused_by_system()?)) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Where to keep what cannot be kept in the usual place, if that is what went wrong.
    fn way_out(&self, message: &str) -> Option<String> {
        let is_to_blame =
            |directory: &Path| message.contains(&*directory.to_string_lossy()) && can_write_in(directory).is_err();
        let registry = self.store().ok()?.path().parent()?.to_owned();
        if is_to_blame(&registry) {
            return Some(unwritable(&registry));
        }
        let state = self.settings().ok()?.state;
        is_to_blame(&state)
            .then(|| format!("{} cannot be written: set XDG_STATE_HOME to a directory that can", state.display()))
    }

    fn hint_for(&self, taken: &Reservation) -> Option<String> {
        let reach = Reach::of(&self.current_directory().ok()?);
        let port = taken.port;
        let release = format!("`portkeeper release {port}` gives it back");
        let whose = Whose::of(taken, &reach);
        if whose == Whose::Project {
            let name = taken.name().map_or("", |name| &name.name);
            return Some(format!("it is {name} of this project: start the server on it; {release}"));
        }
        let snapshot = self.store().ok()?.snapshot().ok()?;
        let offered = offer(&yours(port, snapshot.reservations(), &Machine::here().ok()?, &reach));
        Some(match whose {
            Whose::Other(_) => offered.unwrap_or_else(|| "any other port will do: leave out --port".to_owned()),
            _ => offered.map_or_else(|| release.clone(), |offered| format!("{offered}; {release}")),
        })
    }
}

/// The ports that the project has already.
fn offer(yours: &[(Port, String)]) -> Option<String> {
    let each: Vec<_> = yours.iter().take(OFFERED).map(|(port, name)| format!("{port} ({name})")).collect();
    match yours {
        [] => None,
        [(port, name)] => Some(format!("use {port}, reserved for {name} here")),
        _ => Some(format!("use one that is reserved here: {}", each.join(", "))),
    }
}
