//! The services of all files that Compose reads: what the override must not lose.
//!
//! `include` and `extends` lead to further files. One that cannot be seen, because it is remote, outside of the project, named by a variable
//! or no YAML, is remembered: a service that is nowhere else may be in there.

use std::cell::RefCell;
use std::rc::Rc;

use portkeeper_plugin_sdk::context::ContextFile;
use portkeeper_plugin_sdk::yaml::{Id, Yaml};
use portkeeper_plugin_sdk::{Failure, Request, suggest};

use crate::paths;
use crate::plan::{ContainerPort, Service};
use crate::ports::{self, Published};
use crate::reading::{ComposeFile, Reading};
use crate::target;

/// How many services may extend each other in a row, and how deep files may include each other.
const LONGEST_CHAIN: usize = 32;

/// A file as YAML.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) path: String,
    /// What the paths in it are relative to: for all files that Compose is given the directory of the first of them.
    directory: String,
    pub(crate) yaml: Yaml,
}

/// All of the files.
#[derive(Debug)]
pub(crate) struct Stack<'a> {
    request: &'a Request,
    before: Vec<Rc<Document>>,
    after: Vec<Rc<Document>>,
    /// Files that were looked at on the way, and why one could not be.
    others: RefCell<Vec<Other>>,
    /// What was left out, in words.
    unseen: RefCell<Vec<String>>,
}

/// A file that another leads to.
#[derive(Debug)]
struct Other {
    path: String,
    directory: String,
    document: Result<Rc<Document>, String>,
}

/// An entry of a service's `ports`.
#[derive(Debug)]
struct Entry {
    document: Rc<Document>,
    line: usize,
    /// None when it cannot be understood.
    published: Option<Published>,
}

/// What one file says about a service: entries, and whether they replace what files before it say.
#[derive(Debug, Default)]
struct Part {
    replaces: bool,
    entries: Vec<Entry>,
}

impl Part {
    fn merge(&mut self, later: Self) {
        if later.replaces {
            self.entries.clear();
            self.replaces = true;
        }
        self.entries.extend(later.entries);
    }
}

impl<'a> Stack<'a> {
    /// Reads the files. With `lenient`, one that is no YAML is left out instead of being a failure.
    pub(crate) fn read(request: &'a Request, reading: &Reading<'_>, lenient: bool) -> Result<Self, Failure> {
        let mut unseen = Vec::new();
        let mut parse = |files: &[ComposeFile<'_>]| {
            let mut documents = Vec::new();
            for file in files {
                match document(file.path, reading.directory(), file.text) {
                    Ok(document) => documents.push(document),
                    Err(reason) if lenient => unseen.push(reason),
                    Err(reason) => {
                        return Err(Failure::bad_input(reason).help(
                            "If the override may replace all ports of the services, set \"drop_unmapped\": true, and the file need not be read.",
                        ));
                    }
                }
            }
            Ok(documents)
        };
        let (before, after) = (parse(&reading.before)?, parse(&reading.after)?);
        Ok(Self { request, before, after, others: RefCell::default(), unseen: RefCell::new(unseen) })
    }

    /// What could not be looked at.
    pub(crate) fn unseen(&self) -> Vec<String> {
        self.unseen.borrow().clone()
    }

    /// The files that stand before the target, and those that they include.
    pub(crate) fn documents(&self) -> Vec<Rc<Document>> {
        let others = self.others.borrow();
        self.before
            .iter()
            .cloned()
            .chain(others.iter().filter_map(|other| other.document.as_ref().ok().cloned()))
            .collect()
    }

    /// The files that override the target.
    pub(crate) fn after(&self) -> &[Rc<Document>] {
        &self.after
    }

    /// Checks that the service is there, that all it publishes is mapped, unless that may be lost, and that no later file publishes more.
    pub(crate) fn check(&self, service: &Service, drop_unmapped: bool) -> Result<(), Failure> {
        if self.before.is_empty() {
            return Ok(());
        }
        let entries = match self.published(&service.name, &self.before, drop_unmapped)? {
            Some(entries) => entries,
            None if target::defines(self.request.old_text(), &service.name) => Vec::new(),
            None if drop_unmapped && !self.unseen.borrow().is_empty() => Vec::new(),
            None => return Err(self.no_such_service(&service.name)),
        };
        if !drop_unmapped {
            entries.iter().try_for_each(|entry| check_entry(service, entry))?;
        }
        let later = self.published(&service.name, &self.after, drop_unmapped)?.unwrap_or_default();
        later.first().map_or(Ok(()), |entry| {
            Err(Failure::bad_target(format!(
                "Compose reads `{}` after it, which publishes further ports of `{}` (line {})",
                entry.document.path, service.name, entry.line
            ))
            .help("Name the file that portkeeper writes last in COMPOSE_FILE."))
        })
    }

    /// What the files publish together; none when the service is in none of them.
    fn published(&self, name: &str, files: &[Rc<Document>], lenient: bool) -> Result<Option<Vec<Entry>>, Failure> {
        let mut all = None;
        for file in files {
            if let Some(part) = self.in_file(file, name, lenient, 0)? {
                all.get_or_insert_with(Part::default).merge(part);
            }
        }
        Ok(all.map(|part| part.entries))
    }

    /// What a file and all that it includes say.
    fn in_file(&self, file: &Rc<Document>, name: &str, lenient: bool, depth: usize) -> Result<Option<Part>, Failure> {
        let mut all: Option<Part> = None;
        for included in self.included(file, depth)? {
            if let Some(part) = self.in_file(&included, name, lenient, depth + 1)? {
                all.get_or_insert_default().merge(part);
            }
        }
        if let Some(id) = service_of(&file.yaml, name) {
            all.get_or_insert_default().merge(self.in_service(file, name, id, lenient)?);
        }
        Ok(all)
    }

    /// The files that a file includes (Compose Specification, "include"): paths, or mappings with one path or several.
    fn included(&self, file: &Rc<Document>, depth: usize) -> Result<Vec<Rc<Document>>, Failure> {
        let yaml = &file.yaml;
        let include = yaml.root().and_then(|root| yaml.get(root, "include"));
        let Some(entries) = include.and_then(|include| yaml.items(include)) else { return Ok(Vec::new()) };
        if depth > LONGEST_CHAIN {
            return Err(Failure::bad_input(format!("`{}` includes itself", file.path)));
        }
        let joined = |path: &str| paths::join(&file.directory, path);
        // Each with its line, and with the directory that the paths in it are relative to.
        let mut paths = Vec::new();
        for &entry in entries {
            let path = yaml.get(entry, "path").unwrap_or(entry);
            let several = yaml.items(path).map_or_else(|| vec![path], <[Id]>::to_vec);
            let texts: Vec<_> = several.iter().map(|&path| yaml.text(path).unwrap_or_default()).collect();
            let directory = yaml.get(entry, "project_directory").and_then(|id| yaml.text(id));
            let directory = match (directory, texts.first()) {
                (Some(directory), _) => paths::join(&file.directory, &format!("{directory}/x")),
                (None, first) => joined(first.copied().unwrap_or_default()),
            };
            let directory = paths::directory(&directory).to_owned();
            paths.extend(texts.into_iter().map(|text| (text, yaml.node(entry).line, directory.clone())));
        }
        let local: Vec<_> = paths.iter().filter(|one| paths::is_local(one.0)).map(|one| joined(one.0)).collect();
        self.request.need_context_files(local.iter().map(String::as_str))?;
        let mut documents = Vec::new();
        for (path, line, directory) in paths {
            let document = if paths::is_local(path) {
                self.other(&joined(path), &directory)?
            } else {
                Err("it is not a file of this project".to_owned())
            };
            match document {
                Ok(document) => documents.push(document),
                Err(reason) => {
                    let place = format!("`{}` line {line}", file.path);
                    self.leave_out(format!("`{path}`, which {place} includes, cannot be seen: {reason}"));
                }
            }
        }
        Ok(documents)
    }

    fn leave_out(&self, what: String) {
        let mut unseen = self.unseen.borrow_mut();
        if !unseen.contains(&what) {
            unseen.push(what);
        }
    }

    /// What a file itself says about a service, and what those say that it extends.
    fn in_service(&self, file: &Rc<Document>, name: &str, service: Id, lenient: bool) -> Result<Part, Failure> {
        let (mut file, mut id) = (Rc::clone(file), service);
        let mut chain = Vec::new();
        for _ in 0..LONGEST_CHAIN {
            chain.push(own(&file, id));
            let Some(extends) = file.yaml.get(id, "extends") else {
                let mut all = Part::default();
                chain.into_iter().rev().for_each(|part| all.merge(part));
                return Ok(all);
            };
            match self.extended(&file, extends)? {
                Ok(next) => (file, id) = next,
                Err(reason) if lenient => {
                    self.leave_out(reason);
                    return Ok(Part::default());
                }
                Err(reason) => {
                    return Err(Failure::new(
                        "unknown-ports",
                        format!("the ports of `{name}` cannot be seen: {reason}"),
                    )
                    .help("If the override may replace all ports of the service, set \"drop_unmapped\": true."));
                }
            }
        }
        Err(Failure::bad_input(format!("`{name}` extends itself in `{}`", file.path)))
    }

    /// The service that is extended, of the same file or of another.
    fn extended(&self, file: &Rc<Document>, extends: Id) -> Result<Result<(Rc<Document>, Id), String>, Failure> {
        let yaml = &file.yaml;
        let place = format!("`{}` line {}", file.path, yaml.node(extends).line);
        let target = yaml.text(yaml.get(extends, "service").unwrap_or(extends)).unwrap_or_default().to_owned();
        let other = match yaml.get(extends, "file").and_then(|path| yaml.text(path)) {
            None => Ok(Rc::clone(file)),
            Some(path) if paths::is_local(path) => {
                let path = paths::join(&file.directory, path);
                self.other(&path, paths::directory(&path))?
            }
            Some(path) => Err(format!("`{path}` is not a file of this project")),
        };
        Ok(other.map_err(|reason| format!("it extends what cannot be seen ({place}): {reason}")).and_then(|other| {
            let found = service_of(&other.yaml, &target);
            found.map(|id| (Rc::clone(&other), id)).ok_or_else(|| {
                format!("it extends `{target}` ({place}), and there is no such service in `{}`", other.path)
            })
        }))
    }

    /// A file that another leads to.
    fn other(&self, path: &str, directory: &str) -> Result<Result<Rc<Document>, String>, Failure> {
        let is_it = |other: &&Other| other.path == path && other.directory == directory;
        if let Some(known) = self.others.borrow().iter().find(is_it) {
            return Ok(known.document.clone());
        }
        let read = match self.request.context_file(path)? {
            ContextFile::Text(text) => document(path, directory, text),
            ContextFile::Missing => Err(format!("there is no `{path}`")),
            ContextFile::Hidden(reason) => Err(reason.to_owned()),
        };
        let other = Other { path: path.to_owned(), directory: directory.to_owned(), document: read.clone() };
        self.others.borrow_mut().push(other);
        Ok(read)
    }

    fn no_such_service(&self, name: &str) -> Failure {
        let documents = self.documents();
        let names = documents.iter().flat_map(|document| {
            let yaml = &document.yaml;
            let entries = services(yaml).map(|id| yaml.entries(id)).unwrap_or_default();
            entries.iter().filter_map(|&(key, _)| yaml.text(key))
        });
        let files: Vec<_> = self.before.iter().map(|document| format!("`{}`", document.path)).collect();
        let message = format!("option `services`: there is no service `{name}` in {}", files.join(" and "));
        match self.unseen().first() {
            Some(unseen) => Failure::bad_options(format!("{message}; {unseen}")).help(
                "If the service is there, and the override may replace all of its ports, set \"drop_unmapped\": true.",
            ),
            None => Failure { help: suggest::help(name, names), ..Failure::bad_options(message) },
        }
    }
}

fn document(path: &str, directory: &str, text: &str) -> Result<Rc<Document>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match Yaml::parse(text) {
        Ok(yaml) => Ok(Rc::new(Document { path: path.to_owned(), directory: directory.to_owned(), yaml })),
        Err(error) => Err(format!("`{path}` cannot be read as YAML: {} (line {})", error.message, error.line)),
    }
}

fn services(yaml: &Yaml) -> Option<Id> {
    yaml.get(yaml.root()?, "services")
}

fn service_of(yaml: &Yaml, name: &str) -> Option<Id> {
    yaml.get(services(yaml)?, name).filter(|&id| tag(yaml, id) != Some("!reset"))
}

fn tag(yaml: &Yaml, id: Id) -> Option<&str> {
    yaml.node(id).tag.as_deref()
}

/// The entries of a service's own `ports`. `!override` and `!reset` end those of earlier files (Compose Specification, "Merge").
fn own(file: &Rc<Document>, service: Id) -> Part {
    let yaml = &file.yaml;
    let replaces = tag(yaml, service) == Some("!override");
    let Some(ports) = yaml.get(service, "ports") else { return Part { replaces, entries: Vec::new() } };
    let tag = tag(yaml, ports);
    let replaces = replaces || matches!(tag, Some("!override" | "!reset"));
    if tag == Some("!reset") || yaml.is_null(ports) {
        return Part { replaces, entries: Vec::new() };
    }
    let entry =
        |id: Id| Entry { document: Rc::clone(file), line: yaml.node(id).line, published: ports::read(yaml, id) };
    let entries = match yaml.items(ports) {
        Some(items) => items.iter().map(|&id| entry(id)).collect(),
        None => vec![Entry { published: None, ..entry(ports) }],
    };
    Part { replaces, entries }
}

/// Whether all that an entry publishes is mapped.
fn check_entry(service: &Service, entry: &Entry) -> Result<(), Failure> {
    let place = format!("`{}` line {}", entry.document.path, entry.line);
    let Some(published) = &entry.published else {
        return Err(Failure::new(
            "unknown-ports",
            format!("the ports of `{}` cannot be understood ({place}), so some might be dropped", service.name),
        )
        .help("Write the container's port as a number; or, if all ports of the service may be replaced, set \"drop_unmapped\": true."));
    };
    let protocol = &published.protocol;
    let is_mapped = |port: u16| service.mapped.contains(&ContainerPort { port, protocol: protocol.clone() });
    published.ports.clone().find(|&port| !is_mapped(port)).map_or(Ok(()), |port| {
        Err(Failure::new(
            "unmapped-port",
            format!("`{}` publishes its port {port}/{protocol} ({place}), and the override would drop it", service.name),
        )
        .help(format!(
            "Give it a reservation: \"services\": {{\"{}\": {{\"NAME\": {port}}}}}; or allow the loss: \"drop_unmapped\": true.",
            service.name
        )))
    })
}
