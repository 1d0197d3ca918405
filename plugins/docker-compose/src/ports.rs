//! The `ports` of a service, as far as they can be understood without an environment.

use std::ops::RangeInclusive;

use portkeeper_plugin_sdk::yaml::{Id, Yaml};

/// A published port, or ports: a service may publish a range in one entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The container's ports.
    pub(crate) ports: RangeInclusive<u16>,
    /// In lower case.
    pub(crate) protocol: String,
}

/// What an entry of `ports` publishes: text in the short syntax or a mapping in the long one. None when it cannot be told, mostly because a
/// variable stands where the container's port should be.
pub(crate) fn read(yaml: &Yaml, entry: Id) -> Option<Published> {
    if let Some(text) = yaml.text(entry) {
        return short(text);
    }
    let field = |key: &str| yaml.get(entry, key).and_then(|id| yaml.text(id));
    published(field("target")?, field("protocol").unwrap_or("tcp"))
}

/// `[HOST:]CONTAINER[/PROTOCOL]`, where HOST is `[ADDRESS:][PORT]`.
fn short(text: &str) -> Option<Published> {
    let container = after_last(text, ':').unwrap_or(text);
    let (ports, protocol) = container.split_once('/').unwrap_or((container, "tcp"));
    published(ports, protocol)
}

fn published(ports: &str, protocol: &str) -> Option<Published> {
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last) = (port(first)?, port(last)?);
    let known = matches!(protocol.to_ascii_lowercase().as_str(), "tcp" | "udp" | "sctp");
    (known && first <= last).then(|| Published { ports: first..=last, protocol: protocol.to_ascii_lowercase() })
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

/// What follows the last separator that is not inside of `${...}`.
fn after_last(text: &str, separator: char) -> Option<&str> {
    let mut depth = 0_usize;
    let mut found = None;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c == separator && depth == 0 => found = Some(&text[at + c.len_utf8()..]),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_syntax_is_understood() {
        for (text, first, last, protocol) in [
            ("80", 80, 80, "tcp"),
            ("8080:80", 80, 80, "tcp"),
            ("3000-3005", 3000, 3005, "tcp"),
            ("9090-9091:8080-8081", 8080, 8081, "tcp"),
            ("127.0.0.1:8001:8001", 8001, 8001, "tcp"),
            ("127.0.0.1::5000", 5000, 5000, "tcp"),
            ("6060:6060/UDP", 6060, 6060, "udp"),
            ("[::1]:6060:6061/udp", 6061, 6061, "udp"),
            ("${PORT:-8080}:80", 80, 80, "tcp"),
            ("${A:-${B:-1}}:${C}:80", 80, 80, "tcp"),
        ] {
            assert_eq!(short(text), Some(Published { ports: first..=last, protocol: protocol.to_owned() }), "{text}");
        }
    }

    #[test]
    fn what_depends_on_a_variable_is_not_guessed() {
        for text in [
            "${PORT}",
            "8080:${PORT}",
            "8080:${PORT:-80}",
            "${HOST}80",
            "80/${P}",
            "80-79",
            "0",
            "70000",
            "http",
            "",
            "+80",
        ] {
            assert_eq!(short(text), None, "{text}");
        }
    }
}
