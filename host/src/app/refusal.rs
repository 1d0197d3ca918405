//! What helps when a command has failed at something that can be helped.

use std::path::Path;

use super::{About, CommandError, Context};
use crate::doctor::unwritable;
use crate::explain::{Explanation, explain};
use crate::fs::can_write_in;
use crate::model::Port;
use crate::registry::Store;

impl Context {
    /// The error, with what helps. About a port that is what `explain` says: no advice contradicts another.
    pub(crate) fn with_hint(&self, error: CommandError) -> CommandError {
        let hint = match error.port() {
            Some(About::Taken(port, protocol)) => self.look_at(port).and_then(|mut explained| {
                explained.keep_to_protocol(protocol);
                explained.hint()
            }),
            Some(About::Kept(port)) => self.way_to_end(port),
            None => error.refused_by_system().and_then(|path| self.way_out(path)),
        };
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The command that ends what has the port, if something has it.
    pub(crate) fn way_to_end(&self, port: Port) -> Option<String> {
        self.look_at(port)?.way_to_end()
    }

    fn look_at(&self, port: Port) -> Option<Explanation> {
        let (store, directory) = (self.store().ok()?, self.current_directory().ok()?);
        let (snapshot, machine) = (store.snapshot().ok()?, self.machine(&store).ok()?);
        Some(explain(port, snapshot.reservations(), &machine, &directory))
    }

    /// Where to keep what cannot be kept in the usual place, if that is what went wrong.
    fn way_out(&self, refused: &Path) -> Option<String> {
        // That is the directory or what is in it, or a parent that could not be made.
        let is_meant = |directory: &Path| refused.starts_with(directory) || directory.starts_with(refused);
        let is_to_blame = |directory: &Path| is_meant(directory) && can_write_in(directory).is_err();
        let registry = self.store().ok()?.path().parent()?.to_owned();
        if is_to_blame(&registry) {
            return Some(unwritable(&registry));
        }
        let state = self.settings().ok()?.state;
        is_to_blame(&state)
            .then(|| format!("{} cannot be written: set XDG_STATE_HOME to a directory that can", state.display()))
    }
}
