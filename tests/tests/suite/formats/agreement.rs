//! Whether the formats that edit trees agree: the same operation on the same document in each syntax, as a table in the documents.
//!
//! The table is made here, and is what `docs/src/reference/formats-agreement.md` has: `PORTKEEPER_WRITE_TABLES=1` writes it anew. Where
//! formats differ, the row says why; a reason that is not needed any more fails as well.

use std::fmt::Write;

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Plugin, RenderError, Request, Sources, TextFile};
use portkeeper_tests::builtin::root;
use portkeeper_tests::corpus::{Syntax, meaning};
use serde_json::json;

use super::rows::{ROWS, Row};

const FORMATS: [(&str, Syntax); 4] =
    [("yaml", Syntax::Yaml), ("json", Syntax::Json), ("jsonc", Syntax::Json), ("toml", Syntax::Toml)];

const BEGIN: &str = "<!-- made by a test: begin -->\n";
const END: &str = "<!-- made by a test: end -->\n";

/// What a format makes of a row.
enum Cell {
    Written(String),
    Refused(String),
    /// The syntax has no such document.
    None,
}

fn render(plugin: &Plugin, row: &Row, old: &str) -> Cell {
    let map = serde_json::from_str(row.map).expect("a map");
    let request = Request {
        entries: entries(&map),
        map: row.map.to_owned(),
        target: TextFile { path: "file".to_owned(), text: Some(old.to_owned()) },
        options: json!({ "numbers": row.numbers }).to_string(),
        ..Request::default()
    };
    match plugin.render(&request) {
        Ok(rendered) => Cell::Written(rendered.files[0].text.clone()),
        Err(RenderError::Failed(failure)) => {
            let line = failure.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            Cell::Refused(format!("{line}{}", failure.message))
        }
        Err(error) => panic!("{}: {error}", row.operation),
    }
}

/// What the cells of one row have to have in common.
#[derive(Debug, PartialEq)]
enum Meaning {
    Says(String),
    Refused,
    /// No other reader takes the document, before and after.
    Unread,
}

fn meaning_of(syntax: Syntax, cell: &Cell, old: Option<&str>, row: &Row) -> Option<Meaning> {
    let text = match cell {
        Cell::None => return None,
        Cell::Refused(_) => return Some(Meaning::Refused),
        Cell::Written(text) => text,
    };
    let was_read = old.is_some_and(|old| old.trim().is_empty() || meaning(syntax, old).is_some());
    match meaning(syntax, text) {
        Some(says) => Some(Meaning::Says(says)),
        None if !was_read => Some(Meaning::Unread),
        None => panic!("{}: no reader takes\n{text}", row.operation),
    }
}

/// What a text looks like in a cell.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::None => "–".to_owned(),
        Cell::Refused(message) => format!("refused: {}", message.replace('|', "\\|").replace('<', "&lt;")),
        Cell::Written(text) => {
            let text = text.replace('\u{feff}', "⟨BOM⟩").replace('\r', "␍").replace('\t', "⇥");
            let (body, end) = text.strip_suffix('\n').map_or((text.as_str(), "⟨no line end⟩"), |body| (body, ""));
            format!("`{}`", format!("{body}{end}").replace('\n', "⏎").replace('|', "\\|"))
        }
    }
}

#[test]
fn the_formats_agree_and_the_documents_show_it() {
    let engine = Engine::new(None, Limits::default());
    let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
    let plugins = FORMATS.map(|(_, syntax)| catalogue.find(syntax.format()).expect("a built-in format"));
    let mut table =
        "| operation | map | yaml | json | jsonc | toml | agree |\n|---|---|---|---|---|---|---|\n".to_owned();
    let mut wrong = Vec::new();
    for row in ROWS {
        let mut cells = Vec::new();
        for ((plugin, (name, syntax)), old) in plugins.iter().zip(FORMATS).zip(row.old) {
            let cell = old.map_or(Cell::None, |old| render(plugin, row, old));
            if let Cell::Written(new) = &cell {
                match render(plugin, row, new) {
                    Cell::Written(again) if again == *new => {}
                    again => wrong.push(format!("{}, {name}: a second run makes {}", row.operation, shown(&again))),
                }
            }
            cells.push((syntax, cell));
        }
        let meanings: Vec<_> =
            cells.iter().zip(row.old).filter_map(|((syntax, cell), old)| meaning_of(*syntax, cell, old, row)).collect();
        let is_same = meanings.windows(2).all(|pair| pair[0] == pair[1]);
        if is_same != row.why.is_empty() {
            wrong.push(format!(
                "{}: they {}, and the reason is `{}`: {meanings:?}",
                row.operation,
                if is_same { "agree" } else { "differ" },
                row.why
            ));
        }
        let numbers = if row.numbers { ", `numbers`" } else { "" };
        let cells: Vec<_> = cells.iter().map(|(_, cell)| shown(cell)).collect();
        let agree = if is_same { "yes" } else { row.why };
        writeln!(table, "| {} | `{}`{numbers} | {} | {agree} |", row.operation, row.map, cells.join(" | "))
            .expect("memory");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let page = root().join("docs/src/reference/formats-agreement.md");
    let old = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = old.split_once(BEGIN).expect("the page has the place");
    let (committed, after) = rest.split_once(END).expect("the page has the place's end");
    if std::env::var_os("PORTKEEPER_WRITE_TABLES").is_some() {
        std::fs::write(&page, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
    } else {
        assert_eq!(committed.trim(), table.trim(), "write it anew with PORTKEEPER_WRITE_TABLES=1");
    }
}
