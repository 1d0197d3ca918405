//! What is waited for: a host and a port, or a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::{Unmet, Why};
use crate::model::{Host, HostError, Port, PortError, Reservation};
use crate::probe::is_ours;

/// Where to look when no host is named.
const LOCALHOST: &str = "localhost";

/// The loopback addresses of both families.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// How long the resolver may take when it is asked again.
const RESOLVER: Duration = Duration::from_secs(1);

/// What a word on the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A port of a host: `8080`, `localhost:8080`, `[::1]:8080`.
    Address(Host, Port),
    /// A URL: the port of its host, and what a server there has to answer.
    Url(Url),
    /// A port by its name.
    Name(String),
}

/// A URL, as far as it says which server to ask for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The host.
    pub host: Host,
    /// The port, that of the scheme where none is given.
    pub port: Port,
    /// The path with its query, for `http`; none for every other scheme, which is not spoken here.
    pub path: Option<String>,
}

/// The schemes that need no port, with the port that they stand for.
const SCHEMES: [(&str, u16); 4] = [("http", 80), ("https", 443), ("ws", 80), ("wss", 443)];

/// Why a target cannot be understood or found.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The port is none.
    #[error("{}", of_part(.asked, .source))]
    Port {
        /// As it was asked for.
        asked: String,
        /// What is wrong.
        source: PortError,
    },
    /// The host is none.
    #[error("{}", of_part(.asked, .source))]
    Host {
        /// As it was asked for.
        asked: String,
        /// What is wrong.
        source: HostError,
    },
    /// An IPv6 address without brackets: it is unclear where its port begins.
    #[error("`{0}`: put an IPv6 address into brackets: [::1]:80")]
    Brackets(String),
    /// The port is missing.
    #[error("`{0}`: the port is missing, write HOST:PORT as in localhost:8080 or [::1]:8080")]
    NoPort(String),
    /// A URL whose path cannot stand in a request.
    #[error("`{0}`: a URL has no white space and no control characters; write them as %20 and the like")]
    Url(String),
    /// The resolver does not know the host.
    #[error("the host `{host}` cannot be resolved: {reason}; check its spelling, or use an IP address")]
    Unresolved {
        /// The host.
        host: Host,
        /// What the resolver said.
        reason: String,
    },
}

/// What is wrong with a part of what was asked for. A part that is all of it is not named twice.
fn of_part(asked: &str, problem: &dyn std::error::Error) -> String {
    let problem = problem.to_string();
    if problem.starts_with(&format!("`{asked}`")) { problem } else { format!("`{asked}`: {problem}") }
}

impl FromStr for Asked {
    type Err = TargetError;

    fn from_str(asked: &str) -> Result<Self, TargetError> {
        let port = |text: &str| text.parse().map_err(|source| TargetError::Port { asked: asked.to_owned(), source });
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((scheme, rest)) = asked.split_once("://") {
            return url(asked, scheme, rest);
        }
        if is_number(asked) {
            let host = LOCALHOST.parse().map_err(|source| TargetError::Host { asked: asked.to_owned(), source })?;
            return Ok(Self::Address(host, port(asked)?));
        }
        if asked.parse::<IpAddr>().is_ok() || (asked.starts_with('[') && asked.ends_with(']')) {
            return Err(TargetError::NoPort(asked.to_owned()));
        }
        let Some((host, number)) = asked.rsplit_once(':') else { return Ok(Self::Name(asked.to_owned())) };
        match host.parse::<Host>() {
            Ok(_) if host.contains(':') && !host.starts_with('[') => Err(TargetError::Brackets(asked.to_owned())),
            Ok(_) if number.is_empty() => Err(TargetError::NoPort(asked.to_owned())),
            Ok(host) => Ok(Self::Address(host, port(number)?)),
            // A name may have a colon, but no number behind it.
            Err(_) if !is_number(number) && !host.starts_with('[') => Ok(Self::Name(asked.to_owned())),
            Err(source) => Err(TargetError::Host { asked: asked.to_owned(), source }),
        }
    }
}

/// Reads a URL (RFC 3986, 3): who would log in, and what the browser alone looks at, are left out.
fn url(asked: &str, scheme: &str, rest: &str) -> Result<Asked, TargetError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = |host: &str| host.parse().map_err(|source| TargetError::Host { asked: asked.to_owned(), source });
    let usual = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, port)| port.to_string());
    let colon = authority.rfind(':').filter(|&colon| !authority[colon..].contains(']'));
    let (name, number) = match (colon, usual) {
        (Some(colon), usual) if colon + 1 == authority.len() => (&authority[..colon], usual),
        (Some(colon), _) => (&authority[..colon], Some(authority[colon + 1..].to_owned())),
        (None, usual) => (authority, usual),
    };
    let number = number.ok_or_else(|| TargetError::NoPort(asked.to_owned()))?;
    let port = number.parse().map_err(|source| TargetError::Port { asked: asked.to_owned(), source })?;
    let path = rest.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TargetError::Url(asked.to_owned()));
    }
    Ok(Asked::Url(Url { host: host(name)?, port, path: scheme.eq_ignore_ascii_case("http").then_some(path) }))
}

/// A port of a host, and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: Port,
    /// What the server has to answer, if it was asked for by a URL.
    path: Option<String>,
    /// The name that has to be looked up, if it is one.
    name: Option<Host>,
    addresses: Vec<SocketAddr>,
    local: Vec<IpAddr>,
    /// Why there is no address.
    unresolved: Option<String>,
}

impl Target {
    /// Looks the host up. `localhost` is both loopback addresses, an IP address only itself.
    ///
    /// # Errors
    /// [`TargetError::Unresolved`], also when the resolver does not answer in time.
    pub fn resolve(host: &Host, port: Port, timeout: Option<Duration>) -> Result<Self, TargetError> {
        let addresses = match host.as_str().parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port.get())],
            Err(_) if host.as_str().eq_ignore_ascii_case(LOCALHOST) => {
                LOOPBACK.map(|address| SocketAddr::new(address, port.get())).to_vec()
            }
            Err(_) => {
                let addresses = look_up(host, port, timeout)?;
                return Ok(Self { name: Some(host.clone()), ..Self::new(host.to_string(), port, addresses) });
            }
        };
        Ok(Self::new(host.to_string(), port, addresses))
    }

    /// A host that the resolver does not know yet. It is asked again during the wait.
    #[must_use]
    pub fn unresolved(host: &Host, port: Port, reason: String) -> Self {
        let target = Self::new(host.to_string(), port, Vec::new());
        Self { name: Some(host.clone()), unresolved: Some(reason), ..target }
    }

    /// Asks the resolver again. As long as it does not know better, the addresses stay.
    pub(super) fn resolve_again(&mut self, left: Option<Duration>) {
        let Some(name) = self.name.clone() else { return };
        match look_up(&name, self.port, Some(left.map_or(RESOLVER, |left| left.min(RESOLVER)))) {
            Ok(addresses) if addresses == self.addresses => {}
            Ok(addresses) => {
                let path = self.path.take();
                *self = Self { name: Some(name), path, ..Self::new(self.host.clone(), self.port, addresses) };
            }
            Err(TargetError::Unresolved { reason, .. }) if self.unresolved.is_some() => self.unresolved = Some(reason),
            Err(_) => {}
        }
    }

    /// Why there is no address to look at.
    pub(super) fn why_unresolved(&self) -> Option<&str> {
        self.unresolved.as_deref()
    }

    /// The port of a reservation, on its addresses.
    #[must_use]
    pub fn of(reservation: &Reservation) -> Self {
        let port = reservation.port;
        let addresses = reservation.addresses.iter().map(|&address| SocketAddr::new(address, port.get()));
        Self::new(reservation.host.to_string(), port, addresses.collect())
    }

    fn new(host: String, port: Port, addresses: Vec<SocketAddr>) -> Self {
        let ours = |address: &IpAddr| address.is_loopback() || is_ours(*address);
        let local = addresses.iter().map(SocketAddr::ip).filter(ours).collect();
        Self { host, port, path: None, name: None, addresses, local, unresolved: None }
    }

    /// The same target, whose server has to answer the path as well.
    #[must_use]
    pub fn with_path(self, path: Option<String>) -> Self {
        Self { path, ..self }
    }

    /// What its server has to answer, if it was asked for by a URL.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The host, as it was asked for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> Port {
        self.port
    }

    /// Those of its addresses that are this machine's own.
    #[must_use]
    pub fn local_addresses(&self) -> &[IpAddr] {
        &self.local
    }

    /// What clients would connect to: a wildcard is no address to connect to, and any server behind it listens on loopback.
    pub(super) fn to_connect(&self) -> impl Iterator<Item = SocketAddr> {
        let loopback = |address: SocketAddr| LOOPBACK.map(|ip| SocketAddr::new(ip, address.port())).to_vec();
        self.addresses.iter().flat_map(
            move |&address| {
                if address.ip().is_unspecified() { loopback(address) } else { vec![address] }
            },
        )
    }

    /// Host and port as in a URL (RFC 3986, 3.2).
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    pub(super) fn miss(&self, why: Why) -> Unmet {
        Unmet { host: self.host.clone(), port: self.port, why }
    }
}

/// The resolver's answer (getaddrinfo(3)). It knows no deadline, so a thread asks it, and is left behind if it takes too long.
fn look_up(host: &Host, port: Port, timeout: Option<Duration>) -> Result<Vec<SocketAddr>, TargetError> {
    let unresolved = |reason: String| TargetError::Unresolved { host: host.clone(), reason };
    let (sender, receiver) = channel();
    let (name, number) = (host.as_str().to_owned(), port.get());
    thread::spawn(move || {
        let answer = (name.as_str(), number).to_socket_addrs().map(Vec::from_iter);
        let _ = sender.send(answer.map_err(|error| error.to_string()));
    });
    // Before the resolver has answered there is nothing to look at, so it gets a second in any case.
    let patience = timeout.map_or(Duration::MAX, |timeout| timeout.max(Duration::from_secs(1)));
    let mut found = match receiver.recv_timeout(patience) {
        Ok(answer) => answer.map_err(|error| unresolved(words(&error)))?,
        Err(_) => return Err(unresolved("the resolver does not answer".to_owned())),
    };
    found.dedup();
    if found.is_empty() { Err(unresolved("it has no address".to_owned())) } else { Ok(found) }
}

/// The resolver's own words, without what the standard library puts before them.
fn words(message: &str) -> String {
    message.rsplit_once("information: ").map_or(message, |(_, words)| words).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<String, String> {
        match text.parse::<Asked>() {
            Ok(Asked::Address(host, port)) => Ok(format!("{host} {port}")),
            Ok(Asked::Url(Url { host, port, path })) => Ok(format!("{host} {port} {}", path.unwrap_or_default())),
            Ok(Asked::Name(name)) => Ok(format!("name {name}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn ports_hosts_and_names_are_told_apart() {
        for (text, expected) in [
            ("8080", "localhost 8080"),
            ("localhost:80", "localhost 80"),
            ("[::1]:80", "::1 80"),
            ("10.0.0.7:443", "10.0.0.7 443"),
            ("db.example:5432", "db.example 5432"),
            ("web", "name web"),
            ("SERVICE_PORT", "name SERVICE_PORT"),
            ("a/b#c=d", "name a/b#c=d"),
            ("http://localhost:8080/health?deep=1#top", "localhost 8080 /health?deep=1"),
            ("http://localhost", "localhost 80 /"),
            ("HTTP://anna:secret@localhost:8080?x", "localhost 8080 /?x"),
            ("http://[::1]/", "::1 80 /"),
            ("https://[::1]:8443/", "::1 8443 "),
            ("postgres://app@localhost:5432/shop", "localhost 5432 "),
        ] {
            assert_eq!(asked(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_the_reason() {
        for (text, expected) in [
            ("localhost:", "port is missing"),
            ("127.0.0.1", "port is missing"),
            ("[::1]", "port is missing"),
            ("::1", "port is missing"),
            ("fe80::1:80:", "into brackets"),
            ("localhost:http", "is not a port"),
            ("localhost:70000", "is not a port"),
            ("0", "is not a port"),
            ("99999", "is not a port"),
            ("a b:80", "is not a host"),
            ("127.0.0.300:80", "is not a host"),
        ] {
            let message = asked(text).expect_err(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn localhost_is_both_families_and_an_address_only_itself() {
        let addresses = |host: &str| {
            let target = Target::resolve(&host.parse().unwrap(), Port::new(80).unwrap(), None).unwrap();
            target.to_connect().map(|address| address.ip().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(addresses("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(addresses("127.0.0.1"), ["127.0.0.1"]);
        assert_eq!(addresses("0.0.0.0"), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_host_that_nobody_knows_is_named() {
        // `.invalid` never resolves (RFC 6761).
        let error = Target::resolve(&"no-such.invalid".parse().unwrap(), Port::new(80).unwrap(), None).unwrap_err();
        assert!(error.to_string().starts_with("the host `no-such.invalid` cannot be resolved: "), "{error}");
    }
}
