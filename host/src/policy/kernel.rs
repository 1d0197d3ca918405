//! Ports that this machine's kernel, or its administrator, has plans for.

use crate::model::{Port, PortRange};
use crate::os;

/// Ports that this machine has plans for. The default is a machine without any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelPorts {
    /// From here the kernel picks ports for `bind(0)` and for outgoing connections.
    pub ephemeral: Option<PortRange>,
    /// These are set aside for something ([`os::set_aside_ports`]). They are no good ports even where they lie in the ephemeral range and
    /// so are safe from it, because they were set aside for a purpose.
    pub set_aside: Vec<PortRange>,
}

impl KernelPorts {
    /// Those of this machine.
    #[must_use]
    pub fn here() -> Self {
        Self { ephemeral: os::ephemeral_ports(), set_aside: os::set_aside_ports() }
    }

    /// The range in which the port is set aside.
    #[must_use]
    pub fn set_aside(&self, port: Port) -> Option<PortRange> {
        self.set_aside.iter().copied().find(|range| range.contains(port))
    }

    /// The same machine, had it no ephemeral range.
    pub(super) fn without_ephemeral(&self) -> Self {
        Self { ephemeral: None, ..self.clone() }
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = PortRange> {
        self.ephemeral.into_iter().chain(self.set_aside.iter().copied())
    }
}

impl From<Option<PortRange>> for KernelPorts {
    /// A machine with this ephemeral range, and nothing set aside.
    fn from(ephemeral: Option<PortRange>) -> Self {
        Self { ephemeral, ..Self::default() }
    }
}
