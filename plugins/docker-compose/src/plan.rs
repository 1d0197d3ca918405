//! What shall be published: the options and the reservations brought together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portkeeper_plugin_sdk::{Failure, Request, Reservation, suggest};
use serde::Deserialize;

/// The options of the format.
#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    /// For each service: the names of reservations, and the container's port that each is published for.
    pub(crate) services: BTreeMap<String, BTreeMap<String, u16>>,
    /// Whether ports that the base file publishes and `services` does not map may be lost.
    #[serde(default)]
    pub(crate) drop_unmapped: bool,
    /// Whether the project gets a name that differs for each directory.
    #[serde(default)]
    pub(crate) project_name: bool,
}

/// A container's port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ContainerPort {
    pub(crate) port: u16,
    /// In lower case.
    pub(crate) protocol: String,
}

/// What one service publishes.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// In the short syntax, `127.0.0.1:8888:80`.
    pub(crate) ports: Vec<String>,
    pub(crate) mapped: Vec<ContainerPort>,
}

/// All services of the options.
pub(crate) fn services(options: &Options, request: &Request) -> Result<Vec<Service>, Failure> {
    let example =
        "Write which container port each reservation is for: \"services\": {\"web\": {\"SERVICE_PORT\": 80}}.";
    if options.services.is_empty() {
        return Err(Failure::bad_options("option `services` names no service").help(example));
    }
    let mut used: Vec<(&str, &str)> = Vec::new();
    let mut services = Vec::new();
    for (name, ports) in &options.services {
        check_name(name)?;
        if ports.is_empty() {
            return Err(Failure::bad_options(format!("option `services`: `{name}` maps no port")).help(example));
        }
        let mut service = Service { name: name.clone(), ports: Vec::new(), mapped: Vec::new() };
        for (reserved, &port) in ports {
            if let Some((_, other)) = used.iter().find(|(used, _)| used == reserved) {
                let message = format!("option `services`: `{reserved}` is given to `{other}` and to `{name}`");
                return Err(Failure::bad_options(message)
                    .help("A port of the host can be published once. Reserve another one."));
            }
            used.push((reserved, name));
            add(&mut service, find(reserved, request)?, port)?;
        }
        services.push(service);
    }
    Ok(services)
}

fn add(service: &mut Service, reservation: &Reservation, port: u16) -> Result<(), Failure> {
    if port == 0 {
        let message = format!("option `services`: the container port of `{}` is 0", reservation.name);
        return Err(Failure::bad_options(message).help("Container ports are 1 to 65535."));
    }
    for protocol in protocols(reservation) {
        let protocol = protocol.to_ascii_lowercase();
        let suffix = if protocol == "tcp" { String::new() } else { format!("/{protocol}") };
        service.ports.push(format!("{}:{}:{port}{suffix}", address(reservation)?, reservation.port));
        service.mapped.push(ContainerPort { port, protocol });
    }
    Ok(())
}

/// The protocols of a port: nearly always one, and two where the config says `"protocol": "tcp,udp"`.
fn protocols(reservation: &Reservation) -> impl Iterator<Item = &str> {
    let all = reservation.attrs.iter().find(|(name, _)| name == "protocols").map(|(_, all)| all.as_str());
    all.unwrap_or(&reservation.protocol).split(',')
}

fn find<'a>(name: &str, request: &'a Request) -> Result<&'a Reservation, Failure> {
    request.reservations.iter().find(|reservation| reservation.name == name).ok_or_else(|| Failure {
        help: suggest::help(name, request.reservations.iter().map(|reservation| reservation.name.as_str())),
        ..Failure::bad_options(format!("option `services`: there is no reservation `{name}`"))
    })
}

/// The host's address as the short syntax wants it: Docker takes addresses only, IPv6 in brackets.
fn address(reservation: &Reservation) -> Result<String, Failure> {
    let host = reservation.host.as_deref().unwrap_or("localhost");
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok("127.0.0.1".to_owned());
    }
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => Ok(address.to_string()),
        Ok(IpAddr::V6(address)) => Ok(format!("[{address}]")),
        Err(_) => Err(Failure::new(
            "bad-host",
            format!("`{}` is reserved on `{host}`, and Docker publishes on addresses only", reservation.name),
        )
        .help("Reserve it on an address, for example 127.0.0.1 or 0.0.0.0.")),
    }
}

/// The pattern of service names in the Compose Specification's schema.
fn check_name(name: &str) -> Result<(), Failure> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Failure::bad_options(format!("option `services`: `{name}` cannot be the name of a service"))
        .help("Service names are of letters, digits, `.`, `_` and `-`."))
}
