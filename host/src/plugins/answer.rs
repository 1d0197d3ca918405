//! Whether a plugin's answers can be used. What cannot is the plugin's fault, and is reported as one.

use std::collections::HashSet;

use super::{Metadata, Rendered, Request, bindings, limits, paths, text};
use crate::options::OptionsSchema;

/// Who the plugin says that it is.
pub(super) fn metadata(answer: bindings::Metadata) -> Result<Metadata, String> {
    let options_schema = OptionsSchema::parse(&answer.options_schema)
        .map_err(|reason| format!("its options-schema {}", text::message(&reason)))?;
    if let Some(name) = answer.output_types.iter().find(|name| !paths::is_type_name(name)) {
        return Err(format!(
            "`{}`, one of its output types, is not a name of letters, digits, `-` and `_`",
            text::line(name)
        ));
    }
    let attrs =
        answer.attrs.into_iter().map(|(name, value)| (text::line(&name), text::message(&value))).collect::<Vec<_>>();
    let inputs = attrs.iter().find(|(name, _)| name == "default-inputs").map_or("", |(_, value)| value);
    let default_inputs = inputs.lines().filter(|path| !path.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    if let Some(path) = answer.default_path.iter().chain(&default_inputs).find(|path| !paths::stays_below(path)) {
        return Err(format!("its default path `{}` is not a plain relative path", text::line(path)));
    }
    Ok(Metadata {
        name: text::line(&answer.name),
        version: text::line(&answer.version),
        description: text::message(&answer.description),
        output_types: answer.output_types,
        default_path: answer.default_path,
        options_schema,
        default_inputs,
        attrs,
    })
}

/// What the plugin made of the request.
pub(super) fn rendered(request: &Request, answer: bindings::Response) -> Result<Rendered, String> {
    let mut seen = HashSet::new();
    for file in &answer.files {
        let path = text::line(&file.path);
        // The target's path is the host's own word, so it needs no check.
        if file.path != request.target.path && !paths::stays_below(&file.path) {
            return Err(format!("it wants to write `{path}`, which is not a plain relative path"));
        }
        if !seen.insert(&file.path) {
            return Err(format!("it wants to write `{path}` twice"));
        }
    }
    if answer.diagnostics.len() > limits::LOG_LINES {
        return Err(format!("it has more than {} diagnostics", limits::LOG_LINES));
    }
    Ok(Rendered {
        files: answer.files.into_iter().map(Into::into).collect(),
        diagnostics: answer.diagnostics.into_iter().map(Into::into).collect(),
        log: Vec::new(),
    })
}
