//! The names of hosts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use crate::model::Host;

#[cfg(unix)]
const HOSTS_FILE: &str = "/etc/hosts";
#[cfg(windows)]
const HOSTS_FILE: &str = r"C:\Windows\System32\drivers\etc\hosts";

/// Which addresses have names. Only what can be a name is taken for one: whatever a name server says reaches a terminal.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<IpAddr, String>);

impl Names {
    /// Those of the machine's own file (hosts(5)).
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::from_file(Path::new(HOSTS_FILE))
    }

    fn from_file(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut names = Self::default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let (Some(ip), Some(name)) = (words.next().and_then(|ip| ip.parse().ok()), words.next()) else { continue };
            names.add(ip, name);
        }
        names
    }

    /// The first name counts.
    fn add(&mut self, ip: IpAddr, name: &str) {
        let name = name.trim_end_matches('.');
        if name.parse::<Host>().is_ok() && name.parse::<IpAddr>().is_err() {
            self.0.entry(ip).or_insert_with(|| name.to_owned());
        }
    }

    /// The name of the address.
    #[must_use]
    pub fn of(&self, ip: IpAddr) -> Option<&str> {
        self.0.get(&ip).map(String::as_str)
    }

    /// Asks the system's resolver (getnameinfo(3)) for the names of these as well. It waits as long as the resolver does, a few
    /// questions at a time.
    pub async fn look_up(&mut self, ips: impl IntoIterator<Item = IpAddr>) {
        use futures_util::StreamExt;
        use futures_util::stream::iter;

        const AT_ONCE: usize = 16;
        let unknown: Vec<_> = ips.into_iter().filter(|ip| self.of(*ip).is_none()).collect();
        let questions = unknown.into_iter().map(|ip| async move {
            let name = tokio::task::spawn_blocking(move || dns_lookup::lookup_addr(&ip).ok()).await;
            (ip, name.ok().flatten())
        });
        let mut answers = iter(questions).buffer_unordered(AT_ONCE);
        while let Some((ip, name)) = answers.next().await {
            if let Some(name) = name {
                self.add(ip, &name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_line_counts_and_only_a_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "# hosts\n192.0.2.1 web.example web # the web\n192.0.2.1 second\n192.0.2.2 e\u{1b}[31mvil\n\
                    192.0.2.3 192.0.2.3\nnonsense\n2001:db8::1\tsix\n";
        std::fs::write(file.path(), text).unwrap();
        let names = Names::from_file(file.path());
        let of = |ip: &str| names.of(ip.parse().unwrap());
        assert_eq!(of("192.0.2.1"), Some("web.example"));
        assert_eq!(of("2001:db8::1"), Some("six"));
        assert_eq!((of("192.0.2.2"), of("192.0.2.3")), (None, None));
    }
}
