//! A format, put to one file.

use std::time::Instant;

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Plugin, RenderError, Request, Sources, TextFile};

use super::edits::{Edit, edits};
use super::report::{Outcome, Report};
use super::tree::{Syntax, Tree};

pub(super) struct Trial {
    syntax: Syntax,
    plugin: Plugin,
}

impl Trial {
    pub(super) fn new(syntax: Syntax) -> Self {
        let engine = Engine::new(None, Limits::default());
        let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
        let plugin = catalogue.find(syntax.format()).expect("a built-in format");
        Self { syntax, plugin }
    }

    /// Makes all edits, each on the file as it is.
    pub(super) fn file(&self, name: &str, text: &str, report: &mut Report) {
        report.files += 1;
        let tree = self.syntax.read(text);
        let map = tree.as_ref().filter(|tree| matches!(tree, Tree::Map(_)));
        let Some(tree) = map else {
            report.unread += 1;
            // No reader, or no mapping: a key may be refused, but what is written must be what a reader takes.
            let edit = edits(self.syntax, &Tree::Map(Vec::new())).swap_remove(0);
            let outcome = match self.render(text, &edit, report) {
                Ok(new) if new == text => Outcome::Refused("nothing is written".to_owned()),
                Ok(new) => self.written_unread(&new, tree.is_some() || text.trim().is_empty()),
                Err(outcome) => outcome,
            };
            return report.unreadable(name, outcome);
        };
        for edit in edits(self.syntax, tree).into_iter().filter(|edit| !self.syntax.repeats(text, &edit.path)) {
            let outcome = self.edit(text, tree, &edit, report);
            report.edit(name, &edit, outcome);
        }
    }

    fn written_unread(&self, new: &str, was_read: bool) -> Outcome {
        match self.syntax.read(new) {
            Some(_) => Outcome::Right { lines: 1 },
            None if was_read => Outcome::Wrong("what is written cannot be read".to_owned()),
            None => Outcome::Unread,
        }
    }

    fn edit(&self, text: &str, tree: &Tree, edit: &Edit, report: &mut Report) -> Outcome {
        let new = match self.render(text, edit, report) {
            Ok(new) => new,
            Err(outcome) => return outcome,
        };
        let Some(expected) = edit.applied(tree) else { return Outcome::Wrong("there is no such place".to_owned()) };
        let Some(read) = self.syntax.read(&new) else {
            return Outcome::Wrong("what is written cannot be read".to_owned());
        };
        if read.clone().sorted() != expected.sorted() {
            let found = read.clone().get_mut(&edit.path).map(|found| format!("{found:?}"));
            return Outcome::Wrong(format!("something else differs; the place reads {found:?}"));
        }
        match self.render(&new, edit, report) {
            Ok(again) if again == new => Outcome::Right { lines: changed_lines(text, &new) },
            Ok(_) => Outcome::Wrong("a second run writes again".to_owned()),
            Err(_) => Outcome::Wrong("a second run is refused".to_owned()),
        }
    }

    fn render(&self, text: &str, edit: &Edit, report: &mut Report) -> Result<String, Outcome> {
        let map = edit.map();
        let request = Request {
            entries: entries(&map),
            map: serde_json::to_string(&map).expect("JSON"),
            target: TextFile { path: "file".to_owned(), text: Some(text.to_owned()) },
            options: "{}".to_owned(),
            ..Request::default()
        };
        let started = Instant::now();
        let (rendered, usage) = self.plugin.measure(&request);
        report.took(started.elapsed(), usage.fuel);
        match rendered {
            Ok(mut rendered) => Ok(rendered.files.swap_remove(0).text),
            Err(RenderError::Failed(failure)) => Err(Outcome::Refused(failure.message)),
            Err(error) => Err(Outcome::Broken(error.to_string())),
        }
    }
}

/// How many lines differ between two texts that share a beginning and an end.
fn changed_lines(old: &str, new: &str) -> usize {
    let (old, new): (Vec<_>, Vec<_>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(one, other)| one == other).count();
    (old.len() - start - end).max(new.len() - start - end)
}
