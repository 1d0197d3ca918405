//! What a built-in format learns beside its config: files that its reader would look at, and variables of the environment.
//!
//! Some readers choose their files by rules of their own: Docker Compose takes one of four override files, or what `COMPOSE_FILE` names, and
//! follows `include`. A format for such a reader has to see what it sees. All of this travels in attributes, so the interface stays as it
//! is. portkeeper grants it to its own formats only: a plugin of a third party sees what the config's `inputs` names, and nothing else.
//!
//! A format declares what it always wants to see ([`Metadata::context_files`], [`Metadata::environment`]), and asks for what it finds out on the
//! way with [`Request::context_file`]: the failure that it returns for a file that it has not seen is an order to render again with it.
//!
//! ```
//! use portkeeper_plugin_sdk::Request;
//! use portkeeper_plugin_sdk::context::ContextFile;
//!
//! let mut request = Request::new("compose.override.yaml");
//! request.attrs.push(("given".to_owned(), "path".to_owned()));
//! assert_eq!(request.context_file("sub/web.yaml").unwrap_err().message, "sub/web.yaml");
//! request.attrs.push(("file:sub/web.yaml".to_owned(), "services: {}".to_owned()));
//! assert_eq!(request.context_file("sub/web.yaml").unwrap(), ContextFile::Text("services: {}"));
//! ```

use crate::{Failure, Metadata, Request};

/// The code of a failure that orders files: its message names them, one a line.
const NEEDS_FILES: &str = "needs-files";

/// A file that a format wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextFile<'a> {
    /// It is there, with this text.
    Text(&'a str),
    /// There is no such file.
    Missing,
    /// It is there or may be, but cannot be shown: this is why.
    Hidden(&'a str),
}

impl Metadata {
    /// The same with the files that an output without a `path` may be written to: the first that is there, else the default path.
    #[must_use]
    pub fn default_paths<'a>(self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.listed("default-paths", paths)
    }

    /// The same with the files beside the target that the format wants to see, whether they are there or not.
    #[must_use]
    pub fn context_files<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.listed("context-files", names)
    }

    /// The same with the variables of the environment that the format wants to know.
    #[must_use]
    pub fn environment<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.listed("environment", names)
    }

    fn listed<'a>(mut self, attribute: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        self.attrs.push((attribute.to_owned(), names.join("\n")));
        self
    }
}

impl Request {
    /// A fact that the host adds: `project-id`, eight hexadecimal digits that differ for each project directory; `platform`, `unix` or
    /// `windows`; `type`, the output's type.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the output's config has this field, such as `path` or `inputs`, so that no default stands in for it.
    #[must_use]
    pub fn is_given(&self, field: &str) -> bool {
        self.fact("given").is_some_and(|fields| fields.split(' ').any(|given| given == field))
    }

    /// A variable of the environment, if the format declared that it wants to know it.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&str> {
        self.prefixed("environment:", name)
    }

    /// A file of the project, by its path relative to the config's directory. A host that shows no files (it does not even say what the config
    /// gives) is as good as a project that has none.
    ///
    /// # Errors
    /// The host has not shown it yet: return the failure as it is, and the host renders again with the file.
    pub fn context_file(&self, path: &str) -> Result<ContextFile<'_>, Failure> {
        let known = self.prefixed("file:", path).map(ContextFile::Text);
        let shows_none = self.fact("given").is_none();
        let missing = || (shows_none || self.prefixed("missing-file:", path).is_some()).then_some(ContextFile::Missing);
        let hidden = || self.prefixed("hidden-file:", path).map(ContextFile::Hidden);
        known.or_else(missing).or_else(hidden).ok_or_else(|| Failure::new(NEEDS_FILES, path))
    }

    /// Orders all of these files that the host has not shown yet, so that one more rendering is enough for them.
    ///
    /// # Errors
    /// As [`Request::context_file`].
    pub fn need_context_files<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
        let unseen: Vec<_> = paths.into_iter().filter(|path| self.context_file(path).is_err()).collect();
        if unseen.is_empty() { Ok(()) } else { Err(Failure::new(NEEDS_FILES, unseen.join("\n"))) }
    }

    fn prefixed(&self, prefix: &str, name: &str) -> Option<&str> {
        let matches = |attribute: &str| attribute.strip_prefix(prefix) == Some(name);
        self.attrs.iter().find(|(attribute, _)| matches(attribute)).map(|(_, value)| value.as_str())
    }
}

impl Failure {
    /// Whether it only orders files ([`Request::context_file`]), and so has to reach the host.
    #[must_use]
    pub fn needs_files(&self) -> bool {
        self.code == NEEDS_FILES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attrs: &[(&str, &str)]) -> Request {
        let attrs = attrs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Request { attrs, ..Request::new("f") }
    }

    #[test]
    fn all_unseen_files_are_ordered_at_the_same_time() {
        let request =
            request(&[("given", ""), ("file:a", ""), ("missing-file:b", ""), ("hidden-file:c", "it is no text")]);
        assert_eq!(request.context_file("a").unwrap(), ContextFile::Text(""));
        assert_eq!(request.context_file("b").unwrap(), ContextFile::Missing);
        assert_eq!(request.context_file("c").unwrap(), ContextFile::Hidden("it is no text"));
        request.need_context_files(["a", "b", "c"]).unwrap();
        let order = request.need_context_files(["a", "d", "e"]).unwrap_err();
        assert!(order.needs_files());
        assert_eq!(order.message, "d\ne");
    }

    #[test]
    fn a_host_that_shows_no_files_is_asked_for_none() {
        assert_eq!(request(&[]).context_file("a").unwrap(), ContextFile::Missing);
        request(&[]).need_context_files(["a"]).unwrap();
    }

    #[test]
    fn what_the_config_gives_and_the_environment_has_is_known() {
        let request = request(&[("given", "type inputs"), ("environment:COMPOSE_FILE", "a.yaml")]);
        assert!(request.is_given("inputs") && !request.is_given("path") && !request.is_given("input"));
        assert_eq!(request.environment("COMPOSE_FILE"), Some("a.yaml"));
        assert_eq!(request.environment("HOME"), None);
    }
}
