//! What to do about a port.

use super::{Decision, Explanation, Seat, Verdict, Whose, run_line};
use crate::model::{Port, Protocol};
use crate::os::inspect;
use crate::who::{Ownership, ProcessInfo};

/// So many of the project's other ports are offered.
const OFFERED: usize = 3;

impl Explanation {
    /// What helps a user who asked for the port and did not get it: the [`advice`](Self::advice), as far as it is theirs to follow. What
    /// belongs to another project is not theirs to end.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let is_others = self.claim().is_some_and(|claim| matches!(claim.whose, Whose::Other(_)));
        match self.verdict {
            Verdict::Free | Verdict::FreeForTcp | Verdict::Lingering => None,
            _ if is_others => Some(self.another()),
            Verdict::Yours => self.way_to_end(),
            _ => Some(self.advice()),
        }
    }

    /// What ends the use of the port, if something has it.
    #[must_use]
    pub fn way_to_end(&self) -> Option<String> {
        self.holder().map(|seat| format!("to end it: {}", seat.way_out(self.port)))
    }

    /// What a user who wants the port can do, in a line.
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
            Verdict::ReservedForYou => match self.claim().and_then(|claim| claim.orphan) {
                Some(pid) => format!(
                    "the command that it is reserved for still runs, without its portkeeper: end it (kill {pid}), or give the port \
                     back: portkeeper release {port}"
                ),
                None => format!("start your server on it, or give it back: portkeeper release {port}"),
            },
            Verdict::Reserved => self.another(),
            Verdict::Yours => match self.holder() {
                Some(seat) if matches!(seat.decision, Decision::Kill | Decision::KillWithForce(_)) => {
                    format!("nothing; {} ends the server", seat.way_out(port))
                }
                Some(seat) => format!("nothing; to end it: {}", seat.way_out(port)),
                None => "nothing".to_owned(),
            },
            Verdict::Kept => match self.holder() {
                Some(seat) if seat.decision == Decision::Release => {
                    let mine = self.claim().filter(|claim| !matches!(claim.whose, Whose::Other(_)));
                    let run = mine.map(|claim| run_line(&claim.reservation, &claim.whose));
                    let run = run.map(|run| format!("{run} starts a server on it; ")).unwrap_or_default();
                    format!("{run}{} gives it back", seat.way_out(port))
                }
                Some(seat) => format!("{}; to end it: {}", self.another(), seat.way_out(port)),
                None => self.another(),
            },
            Verdict::InUse => format!("wait until the connection ends, or {}", self.another()),
            Verdict::Unseen => {
                format!("see `docker ps --filter publish={port}` or your firewall, or {}", self.another())
            }
            Verdict::Unknown => "see what `portkeeper doctor` says of the socket tables".to_owned(),
            Verdict::Taken => self.about_the_taker(),
        }
    }

    fn about_the_taker(&self) -> String {
        let another = self.another();
        let Some(seat) = self.holder() else { return another };
        let way = seat.way_out(self.port);
        match (seat.decision, seat.ownership) {
            (Decision::AskRoot | Decision::LookFromOutside, _) => format!("{another}; {way}"),
            // One's own port has been taken by a stranger.
            (_, Some(Ownership::Stranger)) if !matches!(seat.whose, Some(Whose::Other(_))) => {
                format!("end it ({way}), or take another: portkeeper release {}", self.port)
            }
            _ => format!("{another}; to end it: {way}"),
        }
    }

    fn another(&self) -> String {
        let offered: Vec<_> = self.yours.iter().take(OFFERED).map(|(port, name)| format!("{port} ({name})")).collect();
        match (offered.as_slice(), self.yours.as_slice()) {
            ([], _) => "use another: portkeeper reserve".to_owned(),
            (_, [(port, name)]) => format!("use {port}, reserved for {name} here"),
            (several, _) => format!("use one that is reserved here: {}", several.join(", ")),
        }
    }
}

impl Seat {
    /// What ends its use of the port, in words that can be followed.
    #[must_use]
    pub fn way_out(&self, port: Port) -> String {
        let protocol = if self.socket.protocol == Protocol::Udp { " --protocol udp" } else { "" };
        let process = self.process.as_ref();
        match self.decision {
            Decision::Kill => format!("portkeeper kill {port}{protocol}"),
            Decision::KillWithForce(_) => format!("portkeeper kill {port} --force{protocol}"),
            Decision::AskRoot => format!("root can see and end it: sudo portkeeper explain {port}"),
            Decision::Release => match &self.whose {
                Some(Whose::Other(_)) => format!("portkeeper release {port} --force"),
                _ => format!("portkeeper release {port}"),
            },
            Decision::StopContainer => process.map(|process| stop_container(process, port)).unwrap_or_default(),
            Decision::StopService => {
                "stop the service or socket unit that has it: systemctl list-sockets names it".to_owned()
            }
            Decision::StopByHand => {
                "stop that program in its own way: another user has only sent it the socket".to_owned()
            }
            Decision::LookFromOutside => {
                "its process is in another pid namespace: look from there, or from the machine itself".to_owned()
            }
            Decision::EndYourself => "end the program that this command runs in".to_owned(),
        }
    }
}

/// How the engine stops the container behind a process.
fn stop_container(process: &ProcessInfo, port: Port) -> String {
    if let Some(id) = inspect::watched_container(process.pid) {
        return format!("podman stop {id}");
    }
    let Some(container) = process.container.as_ref().filter(|_| !process.container_proxy) else {
        return format!(
            "stop its container: docker ps --filter publish={port}, then docker stop ID or docker compose down"
        );
    };
    let id = &container.id;
    match container.engine {
        "docker" | "buildkit" => format!("docker stop {id}"),
        "podman" => format!("podman stop {id}"),
        "nerdctl" | "containerd" => format!("nerdctl stop {id}"),
        "kubernetes" | "cri-o" => format!("delete its pod, which crictl names: crictl ps --id {id}"),
        "lxc" => format!("lxc-stop {id}"),
        engine => format!("stop the container {id} of {engine}"),
    }
}

/// Whether the kernel's limit for low ports does not bind this user.
fn may_bind_all() -> bool {
    inspect::current_user() == Some(0)
}
