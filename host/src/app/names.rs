//! Names on the command line: what this project calls its ports.

use super::{CommandError, Context};
use crate::document::closest;
use crate::model::{Port, Reservation};
use crate::registry::Store;
use crate::reserve::{Machine, World};
use crate::who::Reach;

/// The reservation that has the name in the project of the current folder, or among the user's own names.
///
/// # Errors
/// A usage error when there is none, with the name that was probably meant.
pub(crate) fn named_here(context: &Context, name: &str) -> Result<Reservation, CommandError> {
    let (snapshot, machine, folder) = (context.store()?.snapshot()?, Machine::here(), context.current_folder()?);
    context.tell_notices(snapshot.notices());
    let reach = Reach::of(&folder);
    // How many steps upwards the name's project lies. The nearest counts, the user's own come last.
    let distance = |reservation: &Reservation| match &reservation.name()?.project {
        Some(project) => reach.distance(project),
        None => Some(usize::MAX),
    };
    let mine = || {
        let here = snapshot.reservations().iter().filter(|each| machine.place().shares_ports_with(&each.place));
        here.filter_map(|each| Some((each, each.name()?.name.as_str(), distance(each)?)))
    };
    let found = mine().filter(|(_, theirs, _)| *theirs == name).min_by_key(|(.., distance)| *distance);
    if let Some((reservation, ..)) = found {
        return Ok(reservation.clone());
    }
    let unknown =
        CommandError::usage(format_args!("`{name}` is no port, and no name of a port in {}", folder.display()));
    Err(match closest(name, mine().map(|(_, theirs, _)| theirs)) {
        Some(meant) => unknown.hint(format_args!("did you mean `{meant}`?")),
        None => unknown.hint("write a port as 8080, localhost:8080 or [::1]:8080; `portkeeper status` lists the names"),
    })
}

/// The port that a word stands for: a number, or a name of this project.
///
/// # Errors
/// A usage error for what is neither.
pub(crate) fn port_or_name(context: &Context, word: &str) -> Result<Port, CommandError> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { word.parse().map_err(CommandError::usage) } else { Ok(named_here(context, word)?.port) }
}
