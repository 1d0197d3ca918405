//! Puts a plugin to a fixture: what it answers, whether it keeps its two promises, and what it takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fixture::{Expected, Fixture};
use super::flaw::Flaw;
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

/// The files that a plugin gives, or its own no.
type Answer = Result<BTreeMap<String, String>, Failure>;

/// Puts the plugin to the fixture.
#[must_use]
pub fn try_fixture(plugin: &Plugin, fixture: &Fixture) -> Trial {
    let mut trial = Trial { found: None, flaws: Vec::new(), usage: Usage::default() };
    match request(plugin, fixture) {
        Ok(request) => trial.run(plugin, &request),
        Err(reason) => trial.flaws.push(Flaw::Options(reason)),
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
        self.flaws.iter().any(Flaw::breaks_promises)
    }

    fn run(&mut self, plugin: &Plugin, request: &Request) {
        let Some(first) = self.render(plugin, request) else { return };
        let Some(second) = self.render(plugin, request) else { return };
        self.flaws.extend(compare_answers(&first, &second));
        if let Ok(texts) = &first {
            self.again(plugin, request, texts);
        }
        self.found = Some(match first {
            Ok(texts) => Expected::Files(texts),
            Err(failure) => Expected::Failure((&failure).into()),
        });
    }

    /// The plugin's answer; none when it does not work.
    fn render(&mut self, plugin: &Plugin, request: &Request) -> Option<Answer> {
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
            Err(RenderError::OverLimit(over)) => {
                self.flaws.push(Flaw::OverLimit(over.to_string()));
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
fn request(plugin: &Plugin, fixture: &Fixture) -> Result<Request, String> {
    let schema = &plugin.metadata().options_schema;
    let mut options = fixture.request.options.clone();
    schema.fill_defaults(&mut options);
    schema.check(&options).map_err(|error| match error {
        CheckError::Violation(violation) if !violation.field.is_root() => {
            format!("{}: {violation}", violation.field)
        }
        error => error.to_string(),
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

/// Both answers are to the same request, so they have to be the same.
fn compare_answers(first: &Answer, second: &Answer) -> Option<Flaw> {
    (first != second).then_some(Flaw::NotDeterministic)
}

fn compare(expected: Option<&Expected>, found: &Expected) -> Vec<Flaw> {
    match (expected, found) {
        (None, _) => vec![Flaw::NothingExpected],
        (Some(Expected::Files(expected)), Expected::Files(found)) => compare_files(expected, found),
        (Some(Expected::Failure(expected)), Expected::Files(_)) => vec![Flaw::DidNotFail(expected.clone())],
        (Some(Expected::Files(_)), Expected::Failure(found)) => vec![Flaw::Failed(found.clone())],
        (Some(Expected::Failure(expected)), Expected::Failure(found)) if expected.allows(found) => Vec::new(),
        (Some(Expected::Failure(expected)), Expected::Failure(found)) => {
            vec![Flaw::OtherFailure { expected: expected.clone(), found: found.clone() }]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> Answer {
        Ok(texts.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
    }

    fn failure(message: &str) -> Answer {
        Err(Failure { code: "bad-map".into(), message: message.into(), help: None, line: None })
    }

    /// No plugin can be made for this: each call has a new instance with an empty memory, and the one import, the log, answers nothing.
    /// There is no clock, no chance and no former call to see; the time and the instructions that a call takes are not shown to it,
    /// and who reaches a limit, or gets no memory of the system, is broken instead. The promise is tested for an interface that gives more.
    #[test]
    fn two_answers_to_the_same_request_break_a_promise() {
        let answers = [
            files(&[]),
            files(&[("a", "1")]),
            files(&[("a", "2")]),
            files(&[("b", "1")]),
            files(&[("a", "1"), ("b", "1")]),
            failure("no"),
            failure("never"),
        ];
        for (index, first) in answers.iter().enumerate() {
            for (other, second) in answers.iter().enumerate() {
                let expected = (index != other).then_some(Flaw::NotDeterministic);
                assert_eq!(compare_answers(first, second), expected, "{first:?}, {second:?}");
            }
        }
        assert!(Flaw::NotDeterministic.breaks_promises(), "nothing should be expected from such a plugin");
    }
}
