//! Which ports a request accepts, and in which order.

use std::fmt;

use crate::model::{Port, PortRange, PortSet};

/// The ports that a request accepts, in the order of its preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortSelector {
    first: Option<Port>,
    then: Then,
    except: Option<Port>,
    allow_in_use: bool,
    everywhere: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Then {
    Nothing,
    Range(PortRange),
    Good,
}

impl PortSelector {
    /// This port or none.
    #[must_use]
    pub const fn exactly(port: Port) -> Self {
        Self { first: Some(port), then: Then::Nothing, except: None, allow_in_use: false, everywhere: false }
    }

    /// This port or none, and the kernel is not asked: what is there already may be the very server that the port is for.
    #[must_use]
    pub const fn allow_in_use(port: Port) -> Self {
        Self { allow_in_use: true, ..Self::exactly(port) }
    }

    /// The preferred port if there is one, then the range ascending, or the policy's good ports where there is no range.
    #[must_use]
    pub fn new(preferred: Option<Port>, range: Option<PortRange>) -> Self {
        let then = range.map_or(Then::Good, Then::Range);
        Self { first: preferred, then, except: None, allow_in_use: false, everywhere: false }
    }

    /// The same choice for a server that may listen on every address of the machine, as most do unless they are configured otherwise: a
    /// port that is in use on any of them is not chosen. The one port that will do is taken all the same, and what is there is said.
    #[must_use]
    pub fn everywhere(self) -> Self {
        Self { everywhere: true, ..self }
    }

    /// The same choice without one port.
    #[must_use]
    pub fn except(self, port: Port) -> Self {
        Self { first: self.first.filter(|&first| first != port), except: Some(port), ..self }
    }

    /// The same choice, of which this port alone is left.
    pub(super) fn narrowed_to(self, port: Port) -> Self {
        Self { first: Some(port), then: Then::Nothing, except: None, ..self }
    }

    /// The only port that will do, if it is one.
    #[must_use]
    pub fn only(&self) -> Option<Port> {
        match self.then {
            Then::Nothing => self.first,
            _ => None,
        }
    }

    /// The port that is tried first, before those of a range.
    #[must_use]
    pub fn preferred(&self) -> Option<Port> {
        self.first
    }

    /// The ports themselves, where they don't depend on the policy: those of a range, and the one that is preferred.
    #[must_use]
    pub fn ports(&self) -> Option<PortSet> {
        let range = match self.then {
            Then::Range(range) => Some(range),
            Then::Nothing | Then::Good => None,
        };
        PortSet::of(self.first.into_iter().chain(range.into_iter().flat_map(PortRange::ports)))
    }

    /// Whether a port that is already in use would do.
    #[must_use]
    pub fn accepts(&self, port: Port) -> bool {
        let among_the_rest = match self.then {
            Then::Nothing => false,
            Then::Range(range) => range.contains(port),
            Then::Good => true,
        };
        self.except != Some(port) && (self.first == Some(port) || among_the_rest)
    }

    /// Whether a port in use will do.
    pub(super) fn accepts_used_ports(&self) -> bool {
        self.allow_in_use
    }

    /// Whether the server may listen on every address of the machine.
    pub(super) fn is_everywhere(&self) -> bool {
        self.everywhere
    }

    /// How many ports it accepts at most: those with few are served before those with many.
    pub(super) fn breadth(&self) -> usize {
        match self.then {
            Then::Nothing => 1,
            Then::Range(range) => range.len(),
            Then::Good => usize::MAX,
        }
    }

    /// The candidates, each once. `good` are the policy's.
    pub(super) fn candidates(
        self,
        good: impl FnOnce() -> Box<dyn Iterator<Item = Port>>,
    ) -> Box<dyn Iterator<Item = Port>> {
        let rest: Box<dyn Iterator<Item = Port>> = match self.then {
            Then::Nothing => Box::new(std::iter::empty()),
            Then::Range(range) => Box::new(range.ports()),
            Then::Good => good(),
        };
        let others = move |port: &Port| Some(*port) != self.first && Some(*port) != self.except;
        Box::new(self.first.into_iter().chain(rest.filter(others)))
    }
}

impl fmt::Display for PortSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.then) {
            (Some(port), Then::Nothing) => write!(f, "{port}"),
            (Some(port), Then::Range(range)) if !range.contains(port) => write!(f, "{port} and {range}"),
            (_, Then::Range(range)) => write!(f, "{range}"),
            (Some(port), Then::Good) => write!(f, "{port} and the good ports"),
            (None, _) => write!(f, "the good ports"),
        }
    }
}
