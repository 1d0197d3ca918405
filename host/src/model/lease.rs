//! Why a reservation is alive. Whether it still is, the `reserve` room decides.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Project;

/// Why a reservation is alive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lease {
    /// While its hold's holder lives. (With another lease a hold ends together with that lease; a name outlives its hold.)
    Held,
    /// While a process lives.
    Process(ProcessId),
    /// While something listens on the port, and for a while from its creation in any case.
    Grace {
        /// How long from the reservation's creation, in seconds of `CLOCK_BOOTTIME`.
        #[serde(rename = "seconds", with = "seconds")]
        length: Duration,
    },
    /// For a while from its creation.
    Timed {
        /// How long, in seconds, however the wall clock jumps.
        #[serde(rename = "seconds", with = "seconds")]
        length: Duration,
    },
    /// Until it is released, or its project is gone.
    Named(LeaseName),
}

/// What a project calls a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeaseName {
    /// The name, for example the `key` of a config: `SERVICE_PORT`.
    pub name: String,
    /// The project that the name belongs to; none: the user. The code that writes the lease writes it, because many names share a project.
    #[serde(skip)]
    pub project: Option<Arc<Project>>,
    /// The file name of the config that asked for the name. When that config no longer has the key, its next prepare releases
    /// the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// True until the files that the name is written to are written: what is left of a prepare that died ends like a grace. It may not
    /// survive a power cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub provisional: bool,
}

impl LeaseName {
    /// Whether both are the same name of the same project.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.belongs_to(other.project.as_deref())
    }

    /// Whether the name is one of this project, or, with none, one of the user's own.
    #[must_use]
    pub fn belongs_to(&self, project: Option<&Project>) -> bool {
        match (&self.project, project) {
            (Some(mine), Some(theirs)) => mine.is_same(theirs),
            (None, None) => true,
            _ => false,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A process, distinct from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The pid in the reservation's pid namespace.
    pub pid: u32,
    /// When it started, in the platform's own unit (Linux: clock ticks since boot, field 22 of `/proc/PID/stat`, proc(5)).
    pub started: u64,
}

/// Durations as seconds with a fraction.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole seconds, the usual case, read better without a fraction.
        match length.subsec_nanos() {
            0 => serializer.serialize_u64(length.as_secs()),
            _ => serializer.serialize_f64(length.as_secs_f64()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(de::Error::custom)
    }
}
