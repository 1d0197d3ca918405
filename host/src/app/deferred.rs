//! Commands that are defined when they are asked for.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id};

use super::help::Documented;

/// Whether commands are defined right away: then their own options stand before the global ones, which clap adds later.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// From now on every command is defined right away, as help and manual pages need it.
pub(crate) fn define_all_commands() {
    WHOLE.store(true, Ordering::Relaxed);
}

/// The arguments of a command, which clap gets to know only when it meets the command. To define those of all commands took a tenth of
/// the time of a `status`.
#[derive(Debug)]
pub(crate) struct Deferred<T>(T);

impl<T: Args + Documented> Args for Deferred<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        if WHOLE.load(Ordering::Relaxed) {
            return define::<T>(command, T::augment_args);
        }
        command.defer(|command| define::<T>(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| define::<T>(command, T::augment_args_for_update))
    }
}

/// What the command is for is written where the commands are listed and beside the command, and not what some of its arguments say of
/// themselves.
fn define<T: Documented>(command: Command, arguments: fn(Command) -> Command) -> Command {
    let about = command.get_about().cloned();
    T::HELP.add_to(arguments(command).about(Resettable::from(about)))
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
