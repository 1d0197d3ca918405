//! Where a reservation was made: a registry file can be seen from several machines and namespaces, ports can not.

use serde::{Deserialize, Serialize};

/// A machine, one of its boots, and the namespaces of the process that looked.
///
/// Containers, network namespaces and home directories on a file server share files but not ports. What could not be read is unknown, and
/// proves nothing: neither that two places are the same, nor that they are not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The machine's identity (`/etc/machine-id`, machine-id(5), or the platform's). Empty where there is none.
    pub machine: String,
    /// This boot of the machine (`/proc/sys/kernel/random/boot_id`, random(4)). Empty where it is hidden.
    pub boot: String,
    /// The network namespace (network_namespaces(7)).
    pub network: NetworkNamespace,
    /// The inode of the pid namespace (pid_namespaces(7)); 0 where the platform has none, [`Place::UNSEEN`] where it is hidden.
    pub processes: u64,
    /// The inode of the time namespace (time_namespaces(7)); none where the platform has none, and in entries that are older than this
    /// field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
}

/// Which network namespace a process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkNamespace {
    /// The one that the machine starts with, or the only one of a platform without namespaces. The same after a reboot.
    Initial,
    /// Another one, by its inode. It ends with the boot at the latest.
    Inode(u64),
    /// It is hidden, so it may be any.
    Unknown,
}

/// How the boots of two places relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boots {
    /// They are one boot of one machine.
    Same,
    /// They are two, of one machine or of two.
    Different,
    /// One of the two is hidden.
    Unknown,
}

impl Place {
    /// What stands for a pid namespace that is hidden.
    pub const UNSEEN: u64 = u64::MAX;

    /// Whether ports of the two places are the same ports, as far as is known: what is unknown may be the same.
    ///
    /// A boot id belongs to one kernel, so within one boot the machine id, which a container may lack or copy, does not count.
    #[must_use]
    pub fn shares_ports_with(&self, other: &Self) -> bool {
        let (boots, known) = (self.boots(other), !self.machine.is_empty() && !other.machine.is_empty());
        let same_machine = match boots {
            Boots::Same => true,
            Boots::Different => known && self.machine == other.machine,
            Boots::Unknown => !known || self.machine == other.machine,
        };
        let unknown = [self.network, other.network].contains(&NetworkNamespace::Unknown);
        let lasting = boots != Boots::Different || unknown || self.network == NetworkNamespace::Initial;
        same_machine && lasting && (unknown || self.network == other.network)
    }

    /// Whether ports of the two places are certainly the same ones, so that what is seen of them here says something about them there.
    #[must_use]
    pub fn sees_ports_of(&self, other: &Self) -> bool {
        let known = |place: &Self| place.network != NetworkNamespace::Unknown;
        let same_machine =
            self.boots(other) == Boots::Same || (!self.machine.is_empty() && self.machine == other.machine);
        self.shares_ports_with(other) && known(self) && known(other) && same_machine
    }

    /// Whether a pid, with the time at which its process started, means the same process in both places.
    #[must_use]
    pub fn shares_processes_with(&self, other: &Self) -> bool {
        self.shares_clock_with(other) && self.processes == other.processes && self.processes != Self::UNSEEN
    }

    /// Whether `CLOCK_BOOTTIME`, and so the time at which processes started, shows the same in both places.
    #[must_use]
    pub fn shares_clock_with(&self, other: &Self) -> bool {
        let same = self.time.zip(other.time).is_none_or(|(mine, theirs)| mine == theirs);
        self.boots(other) == Boots::Same && same
    }

    /// How the two boots relate.
    #[must_use]
    pub fn boots(&self, other: &Self) -> Boots {
        match (self.boot.as_str(), other.boot.as_str()) {
            ("", _) | (_, "") => Boots::Unknown,
            (mine, theirs) if mine == theirs => Boots::Same,
            _ => Boots::Different,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(machine: &str, boot: &str, network: NetworkNamespace, processes: u64) -> Place {
        Place { machine: machine.into(), boot: boot.into(), network, processes, time: None }
    }

    use NetworkNamespace::{Initial, Inode, Unknown};

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

    #[test]
    fn what_is_unknown_may_be_the_same_and_proves_nothing() {
        let here = place("m", "b", Initial, 1);
        for hidden in [place("", "", Initial, 1), place("m", "", Initial, 1), place("m", "b", Unknown, 1)] {
            assert!(
                here.shares_ports_with(&hidden) && hidden.shares_ports_with(&here) && hidden.shares_ports_with(&hidden)
            );
        }
        assert!(place("", "b", Initial, 1).shares_ports_with(&place("m", "", Initial, 1)), "each read failed once");
        assert!(!here.shares_ports_with(&place("other", "", Initial, 1)));
        assert!(!here.sees_ports_of(&place("", "", Initial, 1)) && !here.sees_ports_of(&place("m", "b", Unknown, 1)));
        assert!(here.sees_ports_of(&place("m", "", Initial, 1)) && here.sees_ports_of(&place("m", "c", Initial, 1)));
        assert!(!here.shares_processes_with(&place("m", "", Initial, 1)));
        let unseen = place("m", "b", Initial, Place::UNSEEN);
        assert!(!unseen.shares_processes_with(&unseen));
    }

    #[test]
    fn clocks_and_start_times_are_those_of_one_time_namespace() {
        let with = |time| Place { time, ..place("m", "b", Initial, 1) };
        assert!(with(Some(1)).shares_clock_with(&with(Some(1))) && with(None).shares_processes_with(&with(Some(1))));
        assert!(
            !with(Some(1)).shares_clock_with(&with(Some(2))) && !with(Some(1)).shares_processes_with(&with(Some(2)))
        );
        assert!(with(Some(1)).shares_ports_with(&with(Some(2))));
    }
}
