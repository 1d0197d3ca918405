//! Containers, as far as a process of the machine shows them.

use std::fmt;

use serde::Serialize;

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// Programs that listen on behalf of a container. Ended, they leave it running without its port.
const PROXIES: [&str; 9] = [
    "docker-proxy",
    "rootlessport",
    "rootlesskit",
    "pasta",
    "slirp4netns",
    "vpnkit",
    "com.docker.back",
    "gvproxy",
    "podman",
];

/// Whether a program of this name listens on behalf of containers.
#[must_use]
pub fn is_container_proxy(command: &str) -> bool {
    PROXIES.iter().any(|proxy| {
        let rest = command.strip_prefix(proxy);
        // `pasta.avx2`, `rootlessport-child` (cut at 15 bytes), but not `pastafari`.
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']) || *proxy == "com.docker.back")
    })
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
    fn proxies_are_known_by_name() {
        for proxy in
            ["docker-proxy", "rootlessport", "rootlessport-ch", "pasta.avx2", "slirp4netns", "com.docker.backend"]
        {
            assert!(is_container_proxy(proxy), "{proxy}");
        }
        for other in ["pastafari", "node", "docker-proxy2", "dockerd"] {
            assert!(!is_container_proxy(other), "{other}");
        }
    }
}
