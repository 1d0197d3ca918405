//! What becomes of ports whose numbers cannot be printed.

use std::io;
use std::path::Path;

use super::{CommandError, Context};
use crate::fs::describe;
use crate::registry::reserved;
use crate::reserve::{Granted, World, give_back, let_go, ports};

impl Context {
    /// Reports what became of the answer that names these ports. If it could not be written, no caller has seen them, and what is new is
    /// given back; but not what is written into a file. If it was written, what names gave up is held no longer.
    pub(crate) fn answered(
        &self,
        granted: &[Granted],
        file: Option<&Path>,
        answer: io::Result<()>,
    ) -> Result<(), CommandError> {
        let Err(error) = answer else {
            // Nearly always nothing is, and no machine is looked at.
            if granted.iter().any(|granted| !granted.replaced.is_empty()) {
                let store = self.store()?;
                self.let_go(&mut granted.to_vec(), &self.machine(&store)?);
            }
            return Ok(());
        };
        if let Some(file) = file {
            let done = format!("{} and written into {}", reserved(&ports(granted)), file.display());
            return Err(CommandError::done_but(done, &error));
        }
        let is_new = |granted: &&Granted| !granted.existed || granted.newly_held || !granted.replaced.is_empty();
        let new: Vec<_> = granted.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Err(error.into());
        }
        Err(match self.take_back(&new) {
            Ok(()) => CommandError::environment(format_args!(
                "the answer cannot be written: {}; nothing new is reserved or held{}",
                describe(&error),
                if new.iter().all(|granted| granted.replaced.is_empty()) { "" } else { ", and nothing is given up" }
            )),
            Err(undo) => {
                let ports = ports(&new);
                let done = format!("{} and this could not be undone ({undo})", reserved(&ports));
                CommandError::done_but(done, &error).hint_release(&ports)
            }
        })
    }

    /// Ends the holds of what names gave up of their ports.
    pub(crate) fn let_go(&self, granted: &mut [Granted], world: &impl World) {
        let_go(granted, world).iter().for_each(|(_, refusal)| self.printer.warn(refusal));
    }

    /// The error of a step that came after these were reserved. What is new of them is given back, or named.
    pub(crate) fn without(&self, granted: &[Granted], error: CommandError) -> CommandError {
        match self.take_back(granted) {
            Ok(()) => error,
            Err(undo) => {
                let new = granted.iter().filter(|granted| !granted.existed);
                error.and(format_args!("{}, and this could not be undone ({undo})", reserved(&ports(new))))
            }
        }
    }

    /// The error of a step that came after these were reserved, and written into files. They stay as the files say, and are named.
    pub(crate) fn beside_files(granted: &[Granted], error: CommandError) -> CommandError {
        let new = ports(granted.iter().filter(|granted| !granted.existed));
        if new.is_empty() { error } else { error.and(format_args!("{}, and the files are written", reserved(&new))) }
    }

    /// Ends what is new of these, reservations and holds.
    pub(crate) fn take_back(&self, granted: &[Granted]) -> Result<(), CommandError> {
        let store = self.store()?;
        Ok(give_back(&store, &self.machine(&store)?, granted)?)
    }
}
