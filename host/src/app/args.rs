//! Arguments that several commands share.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration::{duration, time_to_live};
use super::number::count;
use super::{Color, CommandError, HoldArgs, NameArgs, ProtocolsParser};
use crate::model::{HoldKind, Host, Lease, Name, Port, PortRange, Project, Protocols};
use crate::os;
use crate::policy::{self, KernelPorts};
use crate::probe;
use crate::reserve::{GRACE, NameRequest, PortSelector, Request};

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Run as if portkeeper had been started in this directory
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIRECTORY")]
    pub(crate) working_directory: Option<PathBuf>,

    /// The registry file [default: portkeeper/registry.json in the user's state directory]
    #[arg(long, global = true, value_name = "FILE", env = "PORTKEEPER_REGISTRY")]
    pub(crate) registry: Option<PathBuf>,

    /// The lock file of the registry [default: beside the registry]
    #[arg(long, global = true, value_name = "FILE", env = "PORTKEEPER_LOCK", hide = true)]
    pub(crate) lock: Option<PathBuf>,

    /// How long to wait while another process changes the registry: 500ms, 30s, 2m
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) lock_timeout: Duration,

    /// How to print the answer [default: json for reserve and prepare; for others table on a terminal, json elsewhere]
    #[arg(long, global = true, value_name = "FORMAT")]
    format: Option<Format>,

    /// Print the answer as JSON: short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,

    /// When to use color: auto (on a terminal, as NO_COLOR and CLICOLOR_FORCE allow), always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value = "auto", hide_possible_values = true)]
    pub(crate) color: Color,

    /// Print nothing but the answer, warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

impl GlobalArgs {
    pub(crate) fn format(&self) -> Option<Format> {
        self.format.or_else(|| self.json.then_some(Format::Json))
    }
}

/// A preset for usual kinds of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Prefers 8888, then 8888-8988; written as SERVICE_PORT
    Service,
    /// Prefers 8080, then 8080-8180; written as FRONTEND_PORT
    Frontend,
    /// 8000-9000; written as PORT
    Default,
}

impl Profile {
    fn preferred(self) -> Option<Port> {
        match self {
            Self::Service => Port::new(8888),
            Self::Frontend => Port::new(8080),
            Self::Default => None,
        }
    }

    fn range(self) -> Option<PortRange> {
        let (first, last) = match self {
            Self::Service => (8888, 8988),
            Self::Frontend => (8080, 8180),
            Self::Default => (8000, 9000),
        };
        PortRange::new(Port::new(first)?, Port::new(last)?).ok()
    }

    fn key(self) -> &'static str {
        match self {
            Self::Service => "SERVICE_PORT",
            Self::Frontend => "FRONTEND_PORT",
            Self::Default => "PORT",
        }
    }
}

/// Headings of options, as the help shows them.
const LIFETIME: &str = "Lifetime options";
const FILE: &str = "File options";

/// Which ports to reserve, for whom, and for how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Port options")]
pub(crate) struct SelectionArgs {
    /// This port, or none
    #[arg(long, value_name = "PORT", conflicts_with_all = ["preferred", "range", "profile"])]
    port: Option<Port>,

    /// This port if it is free, else the first free one of the range; without a range, a well-chosen one
    #[arg(long, value_name = "PORT")]
    preferred: Option<Port>,

    /// The ports to choose from, in ascending order: `--range 8000-8100` or `--range 8000 8100` [default: ports that the policy allows]
    #[arg(long, value_name = "A-B")]
    range: Option<PortRange>,

    /// A preset of preferred port, range and environment key
    #[arg(long)]
    profile: Option<Profile>,

    /// The number of ports: all of them are reserved, or none
    #[arg(long, value_name = "N", default_value = "1", value_parser = count::<u16>)]
    count: u16,

    /// The host to reserve on. 127.0.0.1 and localhost stand for both loopback addresses
    /// [default: 127.0.0.1, or what PORTKEEPER_HOST says]
    #[arg(long)]
    host: Vec<Host>,

    /// The transport protocol: tcp, udp, or tcp,udp for the same number with both [default: tcp]
    #[arg(long, value_parser = ProtocolsParser, hide_possible_values = true)]
    protocol: Option<Protocols>,

    /// The owner: shown by status, and a handle for release
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,

    /// Keep the port for this long, whether it is used or not: 90s, 10m, 2h, 7d. The same --port with the same --owner renews it
    #[arg(long, help_heading = LIFETIME, value_name = "DURATION", value_parser = time_to_live, group = "lease", allow_hyphen_values = true)]
    ttl: Option<Duration>,

    /// Keep the port while a server listens on it, and for this long in any case [default: 60s]
    #[arg(long, help_heading = LIFETIME, value_name = "DURATION", value_parser = duration, group = "lease", allow_hyphen_values = true)]
    grace: Option<Duration>,

    /// Keep the port while this process runs
    #[arg(long, help_heading = LIFETIME, value_name = "PID", group = "lease", value_parser = count::<u32>)]
    for_pid: Option<u32>,

    /// Write the port into the .env file, and keep it until it is released: the next call gives the same port. Without a KEY, the
    /// key is the profile's or PORT. With --count the keys are KEY1, KEY2 and so on
    #[arg(long, help_heading = FILE, value_name = "KEY", num_args = 0..=1, require_equals = true, group = "lease", value_parser = env_key)]
    write_env: Option<Option<String>>,

    /// The file for --write-env. The same key in another directory is another port
    #[arg(long, help_heading = FILE, value_name = "FILE", default_value = ".env", requires = "write_env")]
    env_path: PathBuf,
}

/// Where and under which keys ports are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteEnv {
    pub(crate) path: PathBuf,
    pub(crate) keys: Vec<String>,
}

impl SelectionArgs {
    /// Whether more than one port was asked for: the answer is a list then.
    pub(crate) fn is_list(&self) -> bool {
        self.count > 1
    }

    /// The file and the keys to write, if any.
    pub(crate) fn write_env(&self) -> Option<WriteEnv> {
        let key = match self.write_env.as_ref()? {
            None => self.profile.unwrap_or(Profile::Default).key(),
            Some(key) => key,
        };
        let keys = match self.count {
            1 => vec![key.to_owned()],
            count => (1..=count).map(|number| format!("{key}{number}")).collect(),
        };
        Some(WriteEnv { path: self.env_path.clone(), keys })
    }

    /// The file that the ports are written into, if any.
    pub(crate) fn env_file(&self) -> Option<&Path> {
        self.write_env.as_ref().map(|_| self.env_path.as_path())
    }

    /// The one port that will do, if there is only one.
    pub(crate) fn exact_port(&self) -> Option<Port> {
        self.port
    }

    /// The environment variable that the profile's ports are called by.
    pub(crate) fn key(&self) -> &'static str {
        self.profile.unwrap_or(Profile::Default).key()
    }

    /// The option that says how long the port is kept, if one of them was given.
    pub(crate) fn lease_option(&self) -> Option<&'static str> {
        let given =
            [(self.ttl.is_some(), "--ttl"), (self.grace.is_some(), "--grace"), (self.for_pid.is_some(), "--for-pid")];
        given.into_iter().find_map(|(given, option)| given.then_some(option))
    }

    /// One request for each port. Those of `--write-env` get their names where the file is written.
    pub(crate) fn requests(&self, default_host: &Host, hold: &HoldArgs) -> Result<Vec<Request>, CommandError> {
        let named = self.one_host()?;
        let host = named.unwrap_or(default_host);
        let choice = self.choice();
        let choice = if named.is_none() && host.is_default() { choice.everywhere() } else { choice };
        self.requests_on(host.clone(), probe::local_addresses(host)?, choice, hold)
    }

    /// One request for each port, on addresses that were found elsewhere.
    pub(crate) fn requests_on(
        &self,
        host: Host,
        addresses: Vec<IpAddr>,
        choice: PortSelector,
        hold: &HoldArgs,
    ) -> Result<Vec<Request>, CommandError> {
        if self.port.is_some() && self.count > 1 {
            return Err(CommandError::usage("--port is one port: use --preferred or --range with --count"));
        }
        self.check_owner()?;
        if self.grace.is_some() && hold.kind().is_some() {
            return Err(CommandError::usage(
                "--grace says how long to wait for a server, and --hold waits as long as it takes",
            ));
        }
        let request = Request {
            host,
            addresses,
            protocols: self.protocols(),
            choice,
            owner: self.owner.clone(),
            lease: self.lease(hold.kind())?,
            hold: hold.kind_for(self.protocols())?,
        };
        Ok(vec![request; usize::from(self.count)])
    }

    fn check_owner(&self) -> Result<(), CommandError> {
        match self.owner.as_ref().filter(|owner| owner.trim().is_empty()) {
            Some(owner) => {
                Err(CommandError::usage(format_args!("--owner `{owner}` is empty: leave it out, or name someone")))
            }
            None => Ok(()),
        }
    }

    /// One naming for each name. What was not said stays open: a name that has a port keeps it.
    pub(crate) fn namings(
        &self,
        names: &NameArgs,
        project: Option<&Arc<Project>>,
        hold: &HoldArgs,
    ) -> Result<Vec<NameRequest>, CommandError> {
        self.check_owner()?;
        if self.count > 1 {
            return Err(CommandError::usage(
                "--count is for ports without a name: a name has one port, so give several names",
            ));
        }
        if let Some(option) = self.own_lease() {
            return Err(CommandError::usage(format_args!(
                "a name lasts until it is released, so {option} cannot be given with one: leave out the one or the other"
            )));
        }
        if self.port.is_some() && names.names.len() > 1 {
            return Err(CommandError::usage("--port is one port: give one name"));
        }
        let host = self.one_host()?.map(|host| probe::local_addresses(host).map(|addresses| (host.clone(), addresses)));
        let host = host.transpose()?;
        let says_which = self.preferred.is_some() || self.range.is_some() || self.profile.is_some();
        let choice = match self.port {
            Some(port) => Some(PortSelector::allow_in_use(port)),
            None => says_which.then(|| self.choice()),
        };
        let naming = |name: &Name| NameRequest {
            name: name.clone(),
            project: project.cloned(),
            choice,
            host: host.clone(),
            protocols: self.protocol,
            owner: self.owner.clone(),
            hold: hold.kind(),
        };
        Ok(names.names.iter().map(naming).collect())
    }

    /// An option that says how long a port lives, if there is one.
    fn own_lease(&self) -> Option<&'static str> {
        let given = [
            (self.ttl.is_some(), "--ttl"),
            (self.grace.is_some(), "--grace"),
            (self.for_pid.is_some(), "--for-pid"),
            (self.write_env.is_some(), "--write-env"),
        ];
        given.into_iter().find_map(|(given, option)| given.then_some(option))
    }

    /// The host, if one was named.
    fn one_host(&self) -> Result<Option<&Host>, CommandError> {
        match self.host.as_slice() {
            [_, _, ..] => Err(CommandError::usage("--host is one host: a port is reserved in one place at a time")),
            hosts => Ok(hosts.first()),
        }
    }

    /// The hosts that were named.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.host
    }

    /// How many ports were asked for.
    pub(crate) fn count(&self) -> usize {
        self.count.into()
    }

    /// The protocols.
    pub(crate) fn protocols(&self) -> Protocols {
        self.protocol.unwrap_or_default()
    }

    /// Whether it was said which protocols.
    pub(crate) fn says_protocols(&self) -> bool {
        self.protocol.is_some()
    }

    /// The ports to look for on other machines, where the policy cannot be asked: those of the default profile, if none were named.
    pub(crate) fn choice_within(&self, default: PortRange) -> PortSelector {
        let named = self.port.is_some() || self.range.is_some() || self.profile.is_some();
        if named { self.choice() } else { PortSelector::new(self.preferred, Some(default)) }
    }

    fn choice(&self) -> PortSelector {
        match self.port {
            Some(port) => PortSelector::exactly(port),
            None => PortSelector::new(
                self.preferred.or_else(|| self.profile.filter(|_| self.range.is_none())?.preferred()),
                self.range.or_else(|| self.profile?.range()),
            ),
        }
    }

    fn lease(&self, hold: Option<HoldKind>) -> Result<Lease, CommandError> {
        if let Some(length) = self.ttl {
            return Ok(Lease::Timed { length });
        }
        if let Some(pid) = self.for_pid {
            let process = os::process_id(pid)?;
            return process.map(Lease::Process).ok_or_else(|| {
                CommandError::no(format_args!("--for-pid {pid}: no such process runs, or this user may not see it"))
            });
        }
        if hold.is_some() {
            return Ok(Lease::Held);
        }
        Ok(Lease::Grace { length: self.grace.unwrap_or(GRACE) })
    }

    /// Whether the port comes from the policy, and the policy had to hand out ephemeral ones.
    pub(crate) fn yields_to_ephemeral(&self) -> bool {
        let policy = self.port.is_none() && self.range.is_none() && self.profile.is_none();
        let yields = |protocol| policy::good_ports(protocol, &KernelPorts::here(), 0).ephemeral_range_yielded();
        policy && self.protocols().iter().any(yields)
    }
}

/// A name that an environment variable can have.
pub(crate) fn env_key(text: &str) -> Result<String, String> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && text.bytes().all(word) && !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("use letters, digits and `_`, with no digit first, as in SERVICE_PORT".to_owned())
}
