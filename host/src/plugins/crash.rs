//! Which plugin it was that the compiler crashed on.
//!
//! What makes native code of a plugin takes some of it on trust, and panics over what no tool would have written. Where panics unwind,
//! that is caught and refuses the plugin. Where they abort, as in the program that is shipped, its panic hook can still say which
//! plugin it was: nothing has been written by then.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Origin;

static IN_COMPILER: Mutex<Vec<Origin>> = Mutex::new(Vec::new());

/// The plugins that are being made native code just now, in this process.
#[must_use]
pub fn in_compiler() -> Vec<Origin> {
    list().clone()
}

/// Counts the plugin among those in the compiler, as long as the value lives.
pub(super) fn entering_compiler(origin: &Origin) -> InCompiler {
    list().push(origin.clone());
    InCompiler(origin.clone())
}

pub(super) struct InCompiler(Origin);

impl Drop for InCompiler {
    fn drop(&mut self) {
        let mut list = list();
        if let Some(index) = list.iter().position(|origin| *origin == self.0) {
            list.swap_remove(index);
        }
    }
}

fn list() -> MutexGuard<'static, Vec<Origin>> {
    IN_COMPILER.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_in_the_compiler_until_it_is_not() {
        let [one, other] = ["one", "other"].map(|name| Origin::File(name.into()));
        let here = |origin: &Origin| in_compiler().iter().filter(|listed| *listed == origin).count();
        let (first, again) = (entering_compiler(&one), entering_compiler(&one));
        let _other = entering_compiler(&other);
        drop(first);
        assert_eq!((here(&one), here(&other)), (1, 1));
        drop(again);
        assert_eq!((here(&one), here(&other)), (0, 1));
    }
}
