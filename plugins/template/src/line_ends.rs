//! Which line ends a template keeps.
//!
//! Jinja keeps the line end behind `%}` unless it is set up otherwise, and Ansible sets it up to drop each of them: that joins the lines of
//! `A={% if x %}1{% endif %}` and what follows. Here only a line with nothing but tags loses its end, as it does for a reader.

/// The template with `+` in the tags behind which a line end stays: `+%}` keeps it, and no line moves.
pub(crate) fn kept(template: &str) -> String {
    let mut kept = String::with_capacity(template.len());
    let mut rest = template;
    // Whether the line has more than tags so far.
    let mut has_text = false;
    while let Some(open) = rest.find("{%").into_iter().chain(rest.find("{#")).chain(rest.find("{{")).min() {
        let (before, tag) = rest.split_at(open);
        has_text = says_something(has_text, before);
        kept.push_str(before);
        let close = &tag[..2];
        let Some(length) = length(tag) else { break };
        let (tag, after) = tag.split_at(length);
        let is_marked = tag[..length - 2].ends_with(['-', '+']);
        let ends_line = after.starts_with('\n') || after.starts_with("\r\n");
        if close == "{{" {
            has_text = true;
        }
        if close != "{{" && has_text && ends_line && !is_marked {
            kept.push_str(&tag[..length - 2]);
            kept.push('+');
            kept.push_str(&tag[length - 2..]);
        } else {
            kept.push_str(tag);
        }
        rest = after;
        if is_raw(tag) {
            let end = end_of_raw(rest);
            has_text = says_something(has_text, &rest[..end]);
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    kept.push_str(rest);
    kept
}

/// Whether the last line of the text says something, when the one that it begins in did or did not.
fn says_something(before: bool, text: &str) -> bool {
    match text.rfind('\n') {
        Some(feed) => !text[feed..].trim().is_empty(),
        None => before || !text.trim().is_empty(),
    }
}

/// How long the tag is that the text starts with; none for one that is never closed.
fn length(text: &str) -> Option<usize> {
    let close = match &text[..2] {
        "{#" => return text[2..].find("#}").map(|at| at + 4),
        "{{" => "}}",
        _ => "%}",
    };
    let mut quote = None;
    let mut chars = text.char_indices().skip(2);
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if text[at..].starts_with(close) => return Some(at + 2),
            (None, _) => {}
        }
    }
    None
}

fn is_raw(tag: &str) -> bool {
    tag.starts_with("{%") && word(&tag[2..]) == "raw"
}

/// Where `{% endraw %}` starts.
fn end_of_raw(text: &str) -> usize {
    let mut tags = text.match_indices("{%");
    tags.find(|(at, _)| word(&text[at + 2..]) == "endraw").map_or(text.len(), |(at, _)| at)
}

/// The first word in a tag.
fn word(inside: &str) -> &str {
    let inside = inside.trim_start_matches(['-', '+']).trim_start();
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
    &inside[..end]
}
