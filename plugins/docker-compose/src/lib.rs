//! The built-in `docker-compose` format: an override file that publishes services on reserved ports.
//!
//! Compose merges the `ports` of a base file and an override; only `!override` (Compose 2.24.4) replaces them. It replaces all of a
//! service's ports, so all that Compose reads before it is read (`reading`, `stack`), and a port that would be lost is a failure unless
//! `drop_unmapped` allows it. A file that Compose would not read is not written.
//!
//! What portkeeper writes stands in a block of its own below each service; other services, other keys and comments stay. `ports`
//! that somebody wrote by hand are never taken over.

mod environment;
mod paths;
mod plan;
mod ports;
mod project;
mod reading;
mod stack;
mod target;

use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin, text};

use crate::plan::Options;
use crate::reading::{BASES, OVERRIDES, Reading};
use crate::stack::Stack;

/// The format.
#[derive(Debug)]
pub struct DockerCompose;

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "services": {
      "type": "object",
      "minProperties": 1,
      "description": "For each service: the name of a reservation, and the port of the container that it is published for",
      "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": { "type": "integer", "minimum": 1, "maximum": 65535 }
      }
    },
    "drop_unmapped": {
      "type": "boolean",
      "default": false,
      "description": "Allow ports that the base file publishes and `services` does not map to be dropped"
    },
    "project_name": {
      "type": "boolean",
      "default": false,
      "description": "Give the project a name of its own for each directory, so that containers, networks and volumes of two worktrees do not clash"
    }
  },
  "required": ["services"],
  "additionalProperties": false
}"#;

export_plugin!(DockerCompose);

impl Plugin for DockerCompose {
    fn describe() -> Metadata {
        Metadata::new(
            "docker-compose",
            env!("CARGO_PKG_VERSION"),
            "A Compose override file that publishes services on reserved ports",
        )
        .output_types(["docker-compose", "docker_compose", "compose_override"])
        .default_path("compose.override.yaml")
        .default_paths(OVERRIDES)
        .default_inputs(BASES)
        .context_files([".env"].into_iter().chain(OVERRIDES))
        .environment(environment::VARIABLES)
        .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let services = plan::services(&options, request)?;
        let reading = Reading::find(request)?;
        let stack = Stack::read(request, &reading, options.drop_unmapped)?;
        services.iter().try_for_each(|service| stack.check(service, options.drop_unmapped))?;
        let mut diagnostics = reading.diagnostics;
        diagnostics.extend(stack.unseen().into_iter().map(Diagnostic::warning));
        let mut name = None;
        if options.project_name {
            project::check(request, &stack)?;
            diagnostics.extend(project::clashes(&stack));
            name = Some(project::name(request));
        }
        let (mark, old) = text::split_mark(request.old_text());
        let new = target::render(old, name.as_deref(), &services)?;
        let response = Response::target(request, format!("{mark}{new}"));
        Ok(diagnostics.into_iter().fold(response, Response::diagnostic))
    }
}

#[cfg(test)]
mod tests;
