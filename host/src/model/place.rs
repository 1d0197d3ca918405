//! Where a reservation was made: a registry file can be seen from several machines and namespaces, ports can not.

use serde::{Deserialize, Serialize};

/// A machine, one of its boots, and the namespaces of the process that looked.
///
/// Containers, network namespaces and home directories on a file server share files but not ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The machine's identity (`/etc/machine-id`, machine-id(5), or the platform's). Empty where there is none.
    pub machine: String,
    /// This boot of the machine (`/proc/sys/kernel/random/boot_id`, random(4)).
    pub boot: String,
    /// The network namespace (network_namespaces(7)).
    pub network: NetworkNamespace,
    /// The inode of the pid namespace (pid_namespaces(7)); 0 where the platform has none.
    pub processes: u64,
}

/// Which network namespace a process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkNamespace {
    /// The one that the machine starts with, or the only one of a platform without namespaces. The same after a reboot.
    Initial,
    /// Another one, by its inode. It ends with the boot at the latest.
    Inode(u64),
}

impl Place {
    /// Whether ports of the two places are the same ports.
    ///
    /// A boot id belongs to one kernel, so within one boot the machine id, which a container may lack or copy, does not count.
    #[must_use]
    pub fn shares_ports_with(&self, other: &Self) -> bool {
        let same_machine = self.is_same_boot(other) || (!self.machine.is_empty() && self.machine == other.machine);
        let lasting = self.is_same_boot(other) || self.network == NetworkNamespace::Initial;
        same_machine && lasting && self.network == other.network
    }

    /// Whether a pid means the same process in both places.
    #[must_use]
    pub fn shares_processes_with(&self, other: &Self) -> bool {
        self.is_same_boot(other) && self.processes == other.processes
    }

    /// Whether both are the same boot of the same machine.
    #[must_use]
    pub fn is_same_boot(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(machine: &str, boot: &str, network: NetworkNamespace, processes: u64) -> Place {
        Place { machine: machine.into(), boot: boot.into(), network, processes }
    }

    use NetworkNamespace::{Initial, Inode};

    #[test]
    fn ports_are_shared_within_one_network_namespace_of_one_machine() {
        let here = place("m", "b", Initial, 1);
        assert!(here.shares_ports_with(&place("m", "b", Initial, 2)));
        assert!(here.shares_ports_with(&place("", "b", Initial, 2)), "a container without a machine id");
        assert!(!here.shares_ports_with(&place("m", "b", Inode(7), 1)));
        assert!(!here.shares_ports_with(&place("other", "c", Initial, 1)));
    }

    #[test]
    fn only_the_initial_namespace_outlives_a_boot() {
        assert!(place("m", "b", Initial, 1).shares_ports_with(&place("m", "c", Initial, 1)));
        assert!(!place("m", "b", Inode(7), 1).shares_ports_with(&place("m", "c", Inode(7), 1)));
        assert!(!place("", "b", Initial, 1).shares_ports_with(&place("", "c", Initial, 1)));
    }

    #[test]
    fn a_pid_means_the_same_within_one_pid_namespace_of_one_boot() {
        let here = place("m", "b", Initial, 1);
        assert!(here.shares_processes_with(&place("m", "b", Inode(7), 1)));
        assert!(!here.shares_processes_with(&place("m", "b", Initial, 2)));
        assert!(!here.shares_processes_with(&place("m", "c", Initial, 1)));
    }
}
