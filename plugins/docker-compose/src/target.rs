//! The override file: our blocks in a text that has an owner.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::block::Markers;
use portkeeper_plugin_sdk::text::{self, LineEnd};

use crate::plan::Service;
use portkeeper_plugin_sdk::yaml::{Id, Yaml, YamlError};

/// One level, where the file does not show its own.
const INDENT: &str = "  ";

const IN_BLOCK_STYLE: &str =
    "Write it as lines, `services:`, below it `  web:` and so on; or remove it, and portkeeper writes its own.";

/// The lines of the text that are the owner's.
#[derive(Debug)]
struct Owned {
    /// Each with its line end.
    lines: Vec<String>,
    /// Lines that a block of ours followed, counted from 0.
    before_block: Vec<usize>,
}

/// The whole new text.
pub(crate) fn render(old: &str, name: Option<&str>, services: &[Service]) -> Result<String, Failure> {
    let markers = Markers::line_comments("#", "needs Docker Compose 2.24.4 or newer; what you change in here is lost");
    let end = LineEnd::of(old).as_str();
    let mut owned = without_blocks(old, &markers)?;
    let yaml = parse(&owned.text())?;
    owned.remove_left_over(&yaml, services);
    let text = owned.text();
    let yaml = parse(&text)?;
    let mut insertions = Insertions { yaml: &yaml, markers: &markers, end, list: Vec::new() }.all(name, services)?;
    insertions.sort_by_key(|&(line, _)| line);
    for (line, block) in insertions.into_iter().rev() {
        let line = line.min(owned.lines.len());
        if let Some(before) = owned.lines[..line].last_mut().filter(|before| !before.ends_with('\n')) {
            before.push_str(end);
        }
        owned.lines.insert(line, block);
    }
    let new = owned.text();
    verify(&yaml, &new, name, services)?;
    Ok(new)
}

/// Whether the owner's part of the text has the service: an override may bring services of its own.
pub(crate) fn defines(old: &str, service: &str) -> bool {
    let owned = without_blocks(old, &Markers::line_comments("#", "")).ok().map(|owned| owned.text());
    let Some(yaml) = owned.and_then(|text| Yaml::parse(&text).ok()) else { return false };
    let services = yaml.root().and_then(|root| yaml.get(root, "services"));
    services.and_then(|services| yaml.get(services, service)).is_some_and(|id| !yaml.is_null(id))
}

fn parse(text: &str) -> Result<Yaml, Failure> {
    Yaml::parse(text).map_err(|YamlError { message, line }| {
        Failure::bad_target(format!("this cannot be read as YAML: {message}")).line(line)
    })
}

fn without_blocks(old: &str, markers: &Markers) -> Result<Owned, Failure> {
    let mut owned = Owned { lines: Vec::new(), before_block: Vec::new() };
    let mut at = 0;
    for block in markers.find(old)? {
        owned.lines.extend(text::lines(&old[at..block.start]).map(|(_, whole)| whole.to_owned()));
        owned.before_block.extend(owned.lines.len().checked_sub(1));
        at = block.end;
    }
    owned.lines.extend(text::lines(&old[at..]).map(|(_, whole)| whole.to_owned()));
    Ok(owned)
}

impl Owned {
    fn text(&self) -> String {
        self.lines.concat()
    }

    /// Removes the `web:` of a service that had nothing but our block and is no longer asked for: alone it is an error to Compose.
    fn remove_left_over(&mut self, yaml: &Yaml, services: &[Service]) {
        let Some((_, map)) = yaml.root().and_then(|root| yaml.entry(root, "services")) else { return };
        let mut gone: Vec<_> = yaml
            .entries(map)
            .iter()
            .filter(|&&(key, value)| {
                yaml.is_null(value) && !services.iter().any(|service| yaml.text(key) == Some(&service.name))
            })
            .map(|&(key, _)| yaml.node(key).line - 1)
            .filter(|line| self.before_block.contains(line) && self.lines[*line].trim_end().ends_with(':'))
            .collect();
        gone.sort_unstable();
        for line in gone.into_iter().rev() {
            self.lines.remove(line);
        }
    }
}

/// What to insert, and after how many lines.
struct Insertions<'a> {
    yaml: &'a Yaml,
    markers: &'a Markers,
    end: &'a str,
    list: Vec<(usize, String)>,
}

impl Insertions<'_> {
    fn all(mut self, name: Option<&str>, services: &[Service]) -> Result<Vec<(usize, String)>, Failure> {
        let root = self.yaml.root().filter(|&root| !self.yaml.is_null(root));
        if let Some(name) = name {
            self.list.push(self.name(root, name)?);
        }
        let entry = root.and_then(|root| self.yaml.entry(root, "services"));
        let Some((key, map)) = entry else {
            let all: String = services.iter().map(|service| self.service(service, INDENT)).collect();
            self.list.push((usize::MAX, format!("services:{}{all}", self.end)));
            return Ok(self.list);
        };
        let indent = self.indent_below(key, map)?;
        for service in services {
            match self.yaml.entry(map, &service.name) {
                Some((key, value)) => {
                    self.refuse_foreign_ports(service, value)?;
                    let indent = self.indent_below(key, value)?;
                    self.list.push((self.yaml.node(key).line, self.block(service, &indent)));
                }
                None => self.list.push((self.yaml.node(key).line, self.service(service, &indent))),
            }
        }
        Ok(self.list)
    }

    /// The project's name, above the first key.
    fn name(&self, root: Option<Id>, name: &str) -> Result<(usize, String), Failure> {
        if let Some((key, _)) = root.and_then(|root| self.yaml.entry(root, "name")) {
            return Err(Failure::bad_target("there is a `name` here that portkeeper did not write")
                .line(self.yaml.node(key).line)
                .help("Remove it, or the option `project_name`."));
        }
        let first = root.and_then(|root| self.yaml.entries(root).first()).map(|&(key, _)| self.yaml.node(key));
        let (line, indent) = first.map_or((0, String::new()), |key| (key.line - 1, " ".repeat(key.column)));
        Ok((line, self.markers.wrap(&indent, self.end, &[format!("name: {name}")])))
    }

    /// The indentation of what stands below a key: that of its first entry.
    fn indent_below(&self, key: Id, map: Id) -> Result<String, Failure> {
        let (key, value) = (self.yaml.node(key), self.yaml.node(map));
        if self.yaml.is_null(map) {
            return Ok(" ".repeat(key.column + INDENT.len()));
        }
        let is_alias = self.yaml.resolve(map) != map;
        match self.yaml.entries(map).first().map(|&(first, _)| self.yaml.node(first)) {
            Some(first) if !is_alias && first.line > key.line && first.column > key.column => {
                Ok(" ".repeat(first.column))
            }
            _ => Err(Failure::bad_target(
                "this part of the file is not written as lines below their key, so nothing can be added to it",
            )
            .line(value.line)
            .help(IN_BLOCK_STYLE)),
        }
    }

    fn refuse_foreign_ports(&self, service: &Service, value: Id) -> Result<(), Failure> {
        let Some(ports) = self.yaml.get(value, "ports") else { return Ok(()) };
        Err(Failure::bad_target(format!("`{}` has `ports` here that portkeeper did not write", service.name))
            .line(self.yaml.node(ports).line)
            .help("Remove them, and portkeeper writes the ports of the service."))
    }

    /// The service with our block and nothing else.
    fn service(&self, service: &Service, indent: &str) -> String {
        format!("{indent}{}:{}{}", key(&service.name), self.end, self.block(service, &format!("{indent}{INDENT}")))
    }

    fn block(&self, service: &Service, indent: &str) -> String {
        let mut lines = vec!["ports: !override".to_owned()];
        lines.extend(service.ports.iter().map(|port| format!("{INDENT}- \"{port}\"")));
        self.markers.wrap(indent, self.end, &lines)
    }
}

/// A service's name as a key: quoted where YAML 1.1 would take it for a number, a truth value or nothing.
fn key(name: &str) -> String {
    let special = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && !special.contains(&name.to_ascii_lowercase().as_str());
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

/// Reads the result as Compose will: the ports are the planned ones, and all else says what it said before.
fn verify(before: &Yaml, new: &str, name: Option<&str>, services: &[Service]) -> Result<(), Failure> {
    let after = Yaml::parse(new).ok();
    let is_same = after.is_some_and(|after| {
        services.iter().all(|service| publishes(&after, service))
            && name.is_none_or(|name| is_called(&after, name))
            && outline(before, name, services) == outline(&after, name, services)
    });
    if is_same {
        return Ok(());
    }
    Err(Failure::bad_target("the ports cannot be put into this file without changing what else it says")
        .help(IN_BLOCK_STYLE))
}

fn is_called(yaml: &Yaml, name: &str) -> bool {
    let entry = yaml.root().and_then(|root| yaml.entry(root, "name"));
    entry.is_some_and(|(_, value)| yaml.text(value) == Some(name))
}

fn publishes(yaml: &Yaml, service: &Service) -> bool {
    let services = yaml.root().and_then(|root| yaml.entry(root, "services"));
    let ports = services
        .and_then(|(_, map)| yaml.entry(map, &service.name))
        .and_then(|(_, map)| yaml.entry(map, "ports"))
        .map(|(_, ports)| ports);
    let Some(ports) = ports else { return false };
    let texts = yaml.items(ports).unwrap_or_default().iter().map(|&id| yaml.text(id));
    yaml.node(ports).tag.as_deref() == Some("!override")
        && texts.eq(service.ports.iter().map(|port| Some(port.as_str())))
}

/// What the file says beside our ports. Services and `services` itself do not count while they are empty.
fn outline(yaml: &Yaml, name: Option<&str>, services: &[Service]) -> String {
    let is_ours = |name: &str| services.iter().any(|service| service.name == name);
    yaml.outline(&|yaml, path, value| match path {
        ["name"] => name.is_some(),
        ["services"] => yaml
            .entries(value)
            .iter()
            .all(|&(name, value)| yaml.text(name).is_some_and(is_ours) && is_only_ports(yaml, value)),
        ["services", name] => is_ours(name) && is_only_ports(yaml, value),
        ["services", name, "ports"] => is_ours(name),
        _ => false,
    })
}

fn is_only_ports(yaml: &Yaml, service: Id) -> bool {
    yaml.is_null(service)
        || yaml.entries(service).iter().all(|&(key, _)| yaml.text(key) == Some("ports")) && yaml.text(service).is_none()
}
