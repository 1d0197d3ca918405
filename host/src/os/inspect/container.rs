//! Containers, as far as a process of the machine shows them.

use std::fmt;

use serde::Serialize;

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Container {
    /// What runs it: `docker`, `podman`, `kubernetes`, `containerd`, `lxc`, ...
    pub engine: &'static str,
    /// Its id, or its name where it has no other: for engines with long ids the first 12 digits, which they all accept.
    pub id: String,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.engine, self.id)
    }
}

/// Part of a group's path, and the engine that names its groups so. The first that fits counts.
const ENGINES: [(&str, &str); 10] = [
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("nerdctl", "nerdctl"),
    ("docker", "docker"),
    ("buildkit", "buildkit"),
    ("cri-containerd", "containerd"),
    ("containerd", "containerd"),
    ("crio", "cri-o"),
    ("lxc", "lxc"),
    ("machine.slice", "machine"),
];

/// How much of a long id is shown and needed.
const SHORT_ID: usize = 12;

impl Container {
    /// Reads the container from the text of `/proc/PID/cgroup` (cgroups(7)); none when the groups are no container's.
    #[must_use]
    pub fn from_control_groups(text: &str) -> Option<Self> {
        text.lines().find_map(|line| Self::from_path(line.splitn(3, ':').nth(2)?))
    }

    fn from_path(path: &str) -> Option<Self> {
        let (mark, engine) = ENGINES.iter().find(|(mark, _)| path.contains(mark))?;
        let ids = path.rsplit('/').find_map(long_id);
        let named = || {
            let part = path.split('/').find(|part| part.starts_with(mark))?;
            let name = part
                .strip_prefix(&format!("{mark}.payload."))
                .or_else(|| path.split_once("/lxc/")?.1.split('/').next());
            name.map(str::to_owned)
        };
        let id = match *engine {
            "lxc" => ids.or_else(named)?,
            _ => ids?,
        };
        Some(Self { engine, id })
    }
}

/// The id in a part of a path such as `docker-0123…ef.scope`: 64 hexadecimal digits, shortened.
fn long_id(part: &str) -> Option<String> {
    let id = part.strip_suffix(".scope").unwrap_or(part).rsplit(['-', ':']).next()?;
    let long = id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    long.then(|| id[..SHORT_ID].to_owned())
}

/// Programs that speak for containers, by the name of their file: engines, what they start for each container, and what listens for
/// one. Ended, they take containers along, or leave them running without their ports.
const PROGRAMS: [&str; 21] = [
    "docker-proxy",
    "dockerd",
    "containerd",
    "buildkitd",
    "com.docker.backend",
    "vpnkit",
    "conmon",
    "conmonrs",
    "podman",
    "rootlessport",
    "rootlesskit",
    "slirp4netns",
    "pasta",
    "passt",
    "gvproxy",
    "crio",
    "kubelet",
    "kube-proxy",
    "k3s",
    "lxd",
    "incusd",
];

/// Whether a program file of this name speaks for containers.
pub(super) fn is_container_program(file_name: &str) -> bool {
    PROGRAMS.iter().any(|program| {
        let rest = file_name.strip_prefix(program);
        // `pasta.avx2`, `containerd-shim-runc-v2`, `rootlesskit-docker-proxy`, but neither `pastafari` nor `docker-proxy2`.
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    })
}

/// The container that a `conmon` watches, from its arguments: what follows `-c` or `--cid`, in short.
pub(super) fn watched_container(arguments: &[String]) -> Option<String> {
    let position = arguments.iter().position(|word| word == "-c" || word == "--cid")?;
    arguments.get(position + 1).and_then(|id| long_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn container(path: &str) -> Option<String> {
        Container::from_control_groups(&format!("1:name=systemd:/\n0::{path}\n")).map(|found| found.to_string())
    }

    #[test]
    fn engines_are_told_by_their_groups() {
        for (path, expected) in [
            (format!("/system.slice/docker-{ID}.scope"), "docker 0123456789ab"),
            (format!("/docker/{ID}"), "docker 0123456789ab"),
            (format!("/docker/{ID}/init.scope"), "docker 0123456789ab"),
            (
                format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container"),
                "podman 0123456789ab",
            ),
            (format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope"), "kubernetes 0123456789ab"),
            (format!("/kubepods/besteffort/pod1/{ID}"), "kubernetes 0123456789ab"),
            ("/lxc.payload.web/system.slice".to_owned(), "lxc web"),
            ("/lxc/web/init".to_owned(), "lxc web"),
        ] {
            assert_eq!(container(&path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn services_and_sessions_are_no_containers() {
        for path in
            ["/", "/system.slice/docker.service", "/system.slice/containerd.service", "/user.slice/x.scope", "/../.."]
        {
            assert_eq!(container(path), None, "{path}");
        }
    }

    #[test]
    fn programs_are_known_by_their_file() {
        for program in [
            "docker-proxy",
            "dockerd",
            "containerd-shim-runc-v2",
            "conmon",
            "rootlesskit-docker-proxy",
            "rootlessport",
            "pasta.avx2",
            "slirp4netns",
            "com.docker.backend",
        ] {
            assert!(is_container_program(program), "{program}");
        }
        for other in ["pastafari", "node", "docker-proxy2", "docker", "dockerdd"] {
            assert!(!is_container_program(other), "{other}");
        }
    }

    #[test]
    fn conmon_names_its_container() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let conmon = words(&format!("conmon --api-version 1 -c {ID} -u {ID} -r /usr/bin/crun"));
        assert_eq!(watched_container(&conmon).as_deref(), Some("0123456789ab"));
        assert_eq!(watched_container(&words("conmon -c")), None);
        assert_eq!(watched_container(&words("conmon -c ../../x")), None);
    }
}
