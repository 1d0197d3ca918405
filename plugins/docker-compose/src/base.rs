//! The base file: what the override must not lose.

use portkeeper_plugin_sdk::{Failure, Request, TextFile, suggest};

use crate::plan::{ContainerPort, Service};
use crate::ports;
use portkeeper_plugin_sdk::yaml::{Id, Yaml};

/// How many services may extend each other in a row.
const LONGEST_CHAIN: usize = 32;

/// A base file that is there.
pub(crate) struct Base<'a> {
    path: &'a str,
    yaml: Yaml,
}

impl<'a> Base<'a> {
    /// The first of the inputs that is there.
    pub(crate) fn find(request: &'a Request) -> Result<Option<Self>, Failure> {
        let present = |input: &'a TextFile| input.text.as_deref().map(|text| (input.path.as_str(), text));
        let Some((path, text)) = request.inputs.iter().find_map(present) else { return Ok(None) };
        let yaml = Yaml::parse(text).map_err(|error| {
            Failure::bad_input(format!("`{path}` cannot be read as YAML: {} (line {})", error.message, error.line))
        })?;
        Ok(Some(Self { path, yaml }))
    }

    /// Checks that the service is there, and that all it publishes is mapped, unless that may be lost.
    pub(crate) fn check(&self, service: &Service, drop_unmapped: bool) -> Result<(), Failure> {
        let id = self.service(&service.name).ok_or_else(|| self.no_such_service(&service.name))?;
        if drop_unmapped {
            return Ok(());
        }
        for entry in self.published(&service.name, id)? {
            let line = self.yaml.node(entry).line;
            let place = format!("`{}` line {line}", self.path);
            let Some(published) = ports::read(&self.yaml, entry) else {
                return Err(not_understood(&service.name, &place));
            };
            let is_mapped =
                |port: u16| service.mapped.contains(&ContainerPort { port, protocol: published.protocol.clone() });
            if let Some(port) = published.ports.clone().find(|&port| !is_mapped(port)) {
                let protocol = &published.protocol;
                return Err(Failure::new(
                    "unmapped-port",
                    format!("`{}` publishes its port {port}/{protocol} ({place}), and the override would drop it", service.name),
                )
                .help(format!(
                    "Give it a reservation: \"services\": {{\"{}\": {{\"NAME\": {port}}}}}; or allow the loss: \"drop_unmapped\": true.",
                    service.name
                )));
            }
        }
        Ok(())
    }

    fn services(&self) -> Option<Id> {
        self.yaml.get(self.yaml.root()?, "services")
    }

    fn service(&self, name: &str) -> Option<Id> {
        self.yaml.get(self.services()?, name)
    }

    fn no_such_service(&self, name: &str) -> Failure {
        let entries = self.services().map(|id| self.yaml.entries(id)).unwrap_or_default();
        let names: Vec<_> = entries.iter().filter_map(|&(key, _)| self.yaml.text(key)).collect();
        Failure {
            help: suggest::help(name, names),
            ..Failure::bad_options(format!("option `services`: there is no service `{name}` in `{}`", self.path))
        }
    }

    /// The entries of the service's `ports`, and of those that it extends.
    fn published(&self, name: &str, service: Id) -> Result<Vec<Id>, Failure> {
        let mut entries = Vec::new();
        let mut next = Some(service);
        for _ in 0..LONGEST_CHAIN {
            let Some(id) = next else { return Ok(entries) };
            if let Some(ports) = self.yaml.get(id, "ports").filter(|&ports| !self.yaml.is_null(ports)) {
                let place = format!("`{}` line {}", self.path, self.yaml.node(ports).line);
                entries.extend(self.yaml.items(ports).ok_or_else(|| not_understood(name, &place))?);
            }
            next = match self.yaml.get(id, "extends") {
                Some(extends) => Some(self.extended(name, extends)?),
                None => None,
            };
        }
        Err(Failure::bad_input(format!("`{name}` extends itself in `{}`", self.path)))
    }

    /// The service of the same file that is extended.
    fn extended(&self, name: &str, extends: Id) -> Result<Id, Failure> {
        let place = format!("`{}` line {}", self.path, self.yaml.node(extends).line);
        let elsewhere = self.yaml.get(extends, "file").is_some();
        let target = self.yaml.get(extends, "service").unwrap_or(extends);
        let found = self.yaml.text(target).and_then(|target| self.service(target)).filter(|_| !elsewhere);
        found.ok_or_else(|| {
            Failure::new(
                "unknown-ports",
                format!(
                    "`{name}` extends a service that is not in the same file ({place}), so its ports cannot be seen"
                ),
            )
            .help("If the override may replace all ports of the service, set \"drop_unmapped\": true.")
        })
    }
}

fn not_understood(service: &str, place: &str) -> Failure {
    Failure::new("unknown-ports", format!("the ports of `{service}` cannot be understood ({place}), so some might be dropped"))
        .help("Write the container's port as a number; or, if all ports of the service may be replaced, set \"drop_unmapped\": true.")
}
