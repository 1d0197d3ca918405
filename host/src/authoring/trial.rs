//! Puts a plugin to a fixture: what it answers, whether it keeps its two promises, and what it takes.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::fixture::{Expected, ExpectedFailure, Fixture};
use crate::document::Difference;
use crate::options::CheckError;
use crate::output::entries;
use crate::plugins::{Failure, Plugin, RenderError, Rendered, Request, ReservedPort, TextFile, Usage};

/// What came of a fixture.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What the plugin gave; none when it gave nothing that could be expected of a plugin.
    pub found: Option<Expected>,
    /// What is wrong.
    pub flaws: Vec<Flaw>,
    /// The most that one of its calls took.
    pub usage: Usage,
}

/// What is wrong with a plugin, as a fixture shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The host does not let the options through.
    Options(String),
    /// It crashed, ran into a limit, or answered nonsense.
    Broken(String),
    /// Nobody has said what is expected.
    NothingExpected,
    /// It failed where files are expected.
    Failed(Failure),
    /// It failed in another way than expected.
    OtherFailure {
        /// What is expected.
        expected: ExpectedFailure,
        /// What it said.
        found: Failure,
    },
    /// It rendered where a failure is expected.
    DidNotFail(ExpectedFailure),
    /// It did not write a file that is expected.
    Missing(String),
    /// It wrote a file that is not expected.
    Unexpected(String),
    /// It wrote another text than expected.
    Differs {
        /// The file.
        path: String,
        /// From the expected text to the one that was found.
        diff: String,
    },
    /// Asked the same twice, it gave two answers.
    NotDeterministic,
    /// Rendering its own text again changes it.
    NotFixedPoint {
        /// The file.
        path: String,
        /// What changed the second time.
        diff: String,
    },
    /// It can't render what it has written itself.
    FailsOnItself(String),
}

/// Puts the plugin to the fixture.
#[must_use]
pub fn try_fixture(plugin: &Plugin, fixture: &Fixture) -> Trial {
    let mut trial = Trial { found: None, flaws: Vec::new(), usage: Usage::default() };
    match request(plugin, fixture) {
        Ok(request) => trial.run(plugin, &request),
        Err(flaw) => trial.flaws.push(flaw),
    }
    if let Some(found) = &trial.found {
        trial.flaws.extend(compare(fixture.expected.as_ref(), found));
    }
    trial
}

impl Trial {
    /// Whether there is anything wrong beside what is expected: then nothing should be expected from it.
    #[must_use]
    pub fn breaks_promises(&self) -> bool {
        let broken = |flaw: &Flaw| {
            matches!(
                flaw,
                Flaw::Options(_)
                    | Flaw::Broken(_)
                    | Flaw::NotDeterministic
                    | Flaw::NotFixedPoint { .. }
                    | Flaw::FailsOnItself(_)
            )
        };
        self.flaws.iter().any(broken)
    }

    fn run(&mut self, plugin: &Plugin, request: &Request) {
        let Some(first) = self.render(plugin, request) else { return };
        let Some(second) = self.render(plugin, request) else { return };
        if first != second {
            self.flaws.push(Flaw::NotDeterministic);
        }
        if let Ok(texts) = &first {
            self.again(plugin, request, texts);
        }
        self.found = Some(match first {
            Ok(texts) => Expected::Files(texts),
            Err(failure) => Expected::Failure((&failure).into()),
        });
    }

    /// The files that the plugin gives, or its own no; nothing when it does not work.
    fn render(&mut self, plugin: &Plugin, request: &Request) -> Option<Result<BTreeMap<String, String>, Failure>> {
        let (result, usage) = plugin.measure(request);
        self.usage.fuel = self.usage.fuel.max(usage.fuel);
        self.usage.memory = self.usage.memory.max(usage.memory);
        self.usage.time = self.usage.time.max(usage.time);
        match result {
            Ok(rendered) => Some(Ok(texts(rendered))),
            Err(RenderError::Failed(failure)) => Some(Err(failure)),
            Err(RenderError::Broken(broken)) => {
                self.flaws.push(Flaw::Broken(broken.reason));
                None
            }
        }
    }

    /// What it makes of its own text.
    fn again(&mut self, plugin: &Plugin, request: &Request, texts: &BTreeMap<String, String>) {
        let now = |file: &TextFile| TextFile {
            path: file.path.clone(),
            text: texts.get(&file.path).cloned().or_else(|| file.text.clone()),
        };
        let request = Request {
            target: now(&request.target),
            inputs: request.inputs.iter().map(now).collect(),
            ..request.clone()
        };
        match self.render(plugin, &request) {
            None => {}
            Some(Err(failure)) => self.flaws.push(Flaw::FailsOnItself(failure.message)),
            Some(Ok(second)) => {
                let changed = texts.iter().filter(|(path, text)| second.get(*path) != Some(*text));
                let flaw = |(path, text): (&String, &String)| {
                    let diff = diff(text, second.get(path).map_or("", String::as_str));
                    Flaw::NotFixedPoint { path: path.clone(), diff }
                };
                self.flaws.extend(changed.map(flaw));
            }
        }
    }
}

/// What the host would ask.
fn request(plugin: &Plugin, fixture: &Fixture) -> Result<Request, Flaw> {
    let schema = &plugin.metadata().options_schema;
    let mut options = fixture.request.options.clone();
    schema.fill_defaults(&mut options);
    schema.check(&options).map_err(|error| match error {
        CheckError::Violation(violation) if !violation.field.is_root() => {
            Flaw::Options(format!("{}: {violation}", violation.field))
        }
        error => Flaw::Options(error.to_string()),
    })?;
    let reservations: Vec<_> = fixture.request.reservations.iter().map(reservation).collect();
    let all = || reservations.iter().map(|port| (port.name.clone(), Value::from(port.port))).collect::<Map<_, _>>();
    let map = fixture.request.map.clone().unwrap_or_else(all);
    let file = |path: &String| TextFile { path: path.clone(), text: fixture.existing.get(path).cloned() };
    Ok(Request {
        project: fixture.request.project.clone(),
        entries: entries(&map),
        map: Value::Object(map).to_string(),
        target: file(&fixture.path),
        inputs: fixture.inputs.iter().map(file).collect(),
        options: Value::Object(options).to_string(),
        reservations,
        attrs: Vec::new(),
    })
}

fn reservation(file: &super::fixture::ReservationFile) -> ReservedPort {
    ReservedPort {
        name: file.name.clone(),
        port: file.port,
        protocol: file.protocol.to_string(),
        host: file.host.clone(),
        attrs: Vec::new(),
    }
}

fn texts(rendered: Rendered) -> BTreeMap<String, String> {
    rendered.files.into_iter().map(|file| (file.path, file.text)).collect()
}

fn compare(expected: Option<&Expected>, found: &Expected) -> Vec<Flaw> {
    match (expected, found) {
        (None, _) => vec![Flaw::NothingExpected],
        (Some(Expected::Files(expected)), Expected::Files(found)) => compare_files(expected, found),
        (Some(Expected::Failure(expected)), Expected::Files(_)) => vec![Flaw::DidNotFail(expected.clone())],
        (Some(Expected::Files(_)), Expected::Failure(found)) => vec![Flaw::Failed(found.into())],
        (Some(Expected::Failure(expected)), Expected::Failure(found)) => {
            let found = Failure::from(found);
            if expected.is(&found) {
                Vec::new()
            } else {
                vec![Flaw::OtherFailure { expected: expected.clone(), found }]
            }
        }
    }
}

fn compare_files(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<Flaw> {
    let missing = expected.keys().filter(|path| !found.contains_key(*path)).cloned().map(Flaw::Missing);
    let others = found.iter().filter_map(|(path, text)| match expected.get(path) {
        None => Some(Flaw::Unexpected(path.clone())),
        Some(wanted) if wanted == text => None,
        Some(wanted) => Some(Flaw::Differs { path: path.clone(), diff: diff(wanted, text) }),
    });
    missing.chain(others).collect()
}

fn diff(old: &str, new: &str) -> String {
    Difference::between(old, new).to_string()
}

impl From<&ExpectedFailure> for Failure {
    fn from(failure: &ExpectedFailure) -> Self {
        let ExpectedFailure { code, message, help, line } = failure.clone();
        Self { code, message: message.unwrap_or_default(), help, line }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(reason) => write!(f, "the options don't pass its schema: {reason}"),
            Self::Broken(reason) => write!(f, "it is broken: {reason}"),
            Self::NothingExpected => f.write_str("nothing is expected yet: --update writes down what it gives"),
            Self::Failed(found) => write!(f, "it failed: {}: {}", found.code, found.message),
            Self::OtherFailure { expected, found } => {
                write!(f, "it failed in another way: expected {}, found {}", told(expected), told(&found.into()))
            }
            Self::DidNotFail(expected) => write!(f, "it did not fail: expected {}", told(expected)),
            Self::Missing(path) => write!(f, "it did not write {path}"),
            Self::Unexpected(path) => write!(f, "it wrote {path}, which is not expected"),
            Self::Differs { path, diff } => write!(f, "{path} is not as expected\n{}", diff.trim_end()),
            Self::NotDeterministic => {
                f.write_str("it gave two answers to the same request: a plugin has to be a pure function")
            }
            Self::NotFixedPoint { path, diff } => {
                write!(
                    f,
                    "rendered again from its own text, {path} changes: a prepare would never be done\n{}",
                    diff.trim_end()
                )
            }
            Self::FailsOnItself(message) => write!(f, "it can't render its own text again: {message}"),
        }
    }
}

fn told(failure: &ExpectedFailure) -> String {
    serde_json::to_string(failure).unwrap_or_default()
}
