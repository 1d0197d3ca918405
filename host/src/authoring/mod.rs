//! What the author of a plugin needs: a crate to begin with, the component that it builds to, and its fixtures run.
//!
//! [`scaffold`] writes the crate, [`build`] calls cargo and makes the component, [`Fixture`] reads what a plugin is tested with, and
//! [`try_fixture`] puts the plugin to it.

mod build;
mod error;
mod fixture;
mod scaffold;
mod trial;

pub use build::{Cargo, TARGET, build};
pub use error::{BuildError, FixtureError, ScaffoldError};
pub use fixture::{Expected, ExpectedFailure, Fixture};
pub use scaffold::{Sdk, scaffold};
pub use trial::{Flaw, Trial, try_fixture};
