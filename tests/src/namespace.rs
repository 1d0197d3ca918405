//! Other network, process and mount namespaces, made with the tools of util-linux and iproute2.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{StandIn, skipped};

/// What a [`Namespace`] has of its own. It shares everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A network in which only loopback is up (network_namespaces(7)).
    Network,
    /// Processes, with their own `/proc` (pid_namespaces(7)).
    Processes,
    /// Mounts (mount_namespaces(7)).
    Mounts,
}

/// A namespace that lives until it is dropped.
#[derive(Debug)]
pub struct Namespace {
    own: Own,
    user: bool,
    keeper: StandIn,
}

impl Namespace {
    /// Makes one, or says aloud that this machine does not let us.
    #[must_use]
    #[track_caller]
    pub fn or_skip(own: Own) -> Option<Self> {
        // root may make namespaces; another user first has to be root in one of their own.
        let user = [false, true].into_iter().find(|&user| can_unshare(own, user));
        let Some(user) = user else {
            skipped("NETNS", &format!("`unshare` for {own:?} does not work here"));
            return None;
        };
        Some(Self { own, user, keeper: StandIn::start(unshare(own, user, "echo ready && exec cat >/dev/null")) })
    }

    /// Another network namespace, made inside of this one: a process that has all rights here has them there, too, and the two can be
    /// joined by a cable.
    #[must_use]
    #[track_caller]
    pub fn beside(&self) -> Self {
        let mut command = self.enter(OsStr::new("unshare"), Path::new("/"));
        command.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat >/dev/null"]);
        Self { own: Own::Network, user: self.user, keeper: StandIn::start(command) }
    }

    /// The process that keeps it, by which tools of iproute2 find it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.keeper.pid()
    }

    /// Whether its user is root outside of it, too, and so may become any user.
    #[must_use]
    pub fn has_all_users(&self) -> bool {
        !self.user
    }

    /// A command that runs the program in it, in the directory.
    pub(crate) fn enter(&self, program: &OsStr, directory: &Path) -> Command {
        let of_keeper = |kind: &str| format!("/proc/{}/ns/{kind}", self.keeper.pid());
        let mut command = Command::new("nsenter");
        if self.user {
            command.arg(format!("--user={}", of_keeper("user"))).arg("--preserve-credentials");
        }
        match self.own {
            Own::Network => command.arg(format!("--net={}", of_keeper("net"))),
            Own::Mounts => command.arg(format!("--mount={}", of_keeper("mnt"))),
            // unshare itself stays outside; what it forks is inside.
            Own::Processes => command
                .arg(format!("--pid={}", of_keeper("pid_for_children")))
                .arg(format!("--mount={}", of_keeper("mnt"))),
        };
        // A mount namespace is entered at its root, so the directory has to be entered again.
        command.args(["--", "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh"]).arg(directory).arg(program);
        command
    }
}

fn can_unshare(own: Own, user: bool) -> bool {
    let status = unshare(own, user, "true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn unshare(own: Own, user: bool, script: &str) -> Command {
    let (flags, setup): (&[&str], _) = match own {
        Own::Network => (&["--net"], "ip link set lo up && "),
        Own::Processes => (&["--pid", "--fork", "--kill-child", "--mount-proc"], ""),
        Own::Mounts => (&["--mount"], ""),
    };
    let mut command = Command::new("unshare");
    if user {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(flags).args(["sh", "-c", &format!("{setup}{script}")]);
    command
}
