//! What to do about a port.

use super::{Explanation, Verdict};
use crate::model::Protocol;
use crate::os::inspect;
use crate::who::{Ownership, ProcessInfo};

/// So many of the project's other ports are offered.
const OFFERED: usize = 3;

impl Explanation {
    /// What to do for someone who wants the port, in a line.
    #[must_use]
    pub fn advice(&self) -> String {
        let port = self.port;
        match self.verdict {
            Verdict::Free | Verdict::FreeForTcp | Verdict::Lingering
                if self.kernel.privileged_below.is_some() && !may_bind_all() =>
            {
                format!("only root may bind it; {}", self.another())
            }
            Verdict::Free | Verdict::FreeForTcp => match self.policy {
                Some(_) => format!("portkeeper reserve --port {port}, or better a good one: portkeeper reserve"),
                None => format!("portkeeper reserve --port {port}"),
            },
            Verdict::Lingering => format!(
                "a server that sets SO_REUSEADDR can have it now, others in a minute: portkeeper reserve --port {port}"
            ),
            Verdict::ReservedForYou => format!("start your server on it, or give it back: portkeeper release {port}"),
            Verdict::Reserved => self.another(),
            Verdict::Yours => format!("nothing; portkeeper kill {port} ends the server"),
            Verdict::Kept => format!("portkeeper release {port} gives it back"),
            Verdict::InUse => format!("wait until the connection ends, or {}", self.another()),
            Verdict::Unseen => {
                format!("see `docker ps --filter publish={port}` or your firewall, or {}", self.another())
            }
            Verdict::Taken => self.about_the_taker(),
        }
    }

    fn about_the_taker(&self) -> String {
        let another = self.another();
        let Some(seat) = self.holder() else { return another };
        let protocol = if seat.socket.protocol == Protocol::Udp { " --protocol udp" } else { "" };
        let end = match &seat.process {
            None => return format!("{another}; root can see and end it: sudo portkeeper explain {}", self.port),
            Some(process) => self.how_to_end(process, protocol),
        };
        // One's own port has been taken by a stranger.
        match seat.ownership {
            Some(Ownership::Stranger) => format!("end it ({end}), or take another: portkeeper release {}", self.port),
            _ => format!("{another}; to end it: {end}"),
        }
    }

    /// How to end what has the port, without breaking what it belongs to.
    fn how_to_end(&self, process: &ProcessInfo, protocol: &str) -> String {
        how_to_stop(process, self.port).unwrap_or_else(|| format!("portkeeper kill {} --force{protocol}", self.port))
    }

    fn another(&self) -> String {
        let offered: Vec<_> = self.yours.iter().take(OFFERED).map(|(port, name)| format!("{port} ({name})")).collect();
        match (offered.as_slice(), self.yours.as_slice()) {
            ([], _) => "use another: portkeeper reserve".to_owned(),
            (_, [(port, name)]) => format!("use {port}, already reserved for you as {name}"),
            (several, _) => format!("use one that is already reserved for you: {}", several.join(", ")),
        }
    }
}

/// How to stop a process that must not simply be killed: a container, what listens for one, or a service manager; none when it may.
#[must_use]
pub fn how_to_stop(process: &ProcessInfo, port: crate::model::Port) -> Option<String> {
    if process.container_proxy {
        return Some(format!(
            "stop its container: docker ps --filter publish={port}, then docker stop ID or docker compose down"
        ));
    }
    if let Some(container) = &process.container {
        let id = &container.id;
        return Some(match container.engine {
            "docker" | "buildkit" => format!("docker stop {id}"),
            "podman" => format!("podman stop {id}"),
            "nerdctl" | "containerd" => format!("nerdctl stop {id}"),
            "kubernetes" | "cri-o" => format!("delete its pod, which crictl names: crictl ps --id {id}"),
            "lxc" => format!("lxc-stop {id}"),
            engine => format!("stop the container {id} of {engine}"),
        });
    }
    (process.pid == 1).then(|| "stop the service or socket unit that has it: systemctl list-sockets".to_owned())
}

/// Whether the kernel's limit for low ports does not bind this user.
fn may_bind_all() -> bool {
    inspect::current_user() == Some(0)
}
