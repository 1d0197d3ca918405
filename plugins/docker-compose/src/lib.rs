//! The built-in `docker-compose` format: an override file that publishes services on reserved ports.
//!
//! Compose merges the `ports` of a base file and an override; only `!override` (Compose 2.24.4) replaces them. It replaces all of a
//! service's ports, so the base file is read, and a port that would be lost is a failure unless `drop_unmapped` allows it.
//!
//! What portkeeper writes stands in a block of its own below each service; other services, other keys and comments stay. `ports`
//! that somebody wrote by hand are never taken over.

mod base;
mod plan;
mod ports;
mod target;

use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin, text};

use crate::base::Base;
use crate::plan::Options;

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
    }
  },
  "required": ["services"],
  "additionalProperties": false
}"#;

/// The files that Compose reads by default, in its order of preference (Compose Specification, "The Compose file").
const BASE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

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
        .default_inputs(BASE_FILES)
        .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let services = plan::services(&options, request)?;
        let base = Base::find(request)?;
        if let Some(base) = &base {
            services.iter().try_for_each(|service| base.check(service, options.drop_unmapped))?;
        }
        let (mark, old) = text::split_mark(request.old_text());
        let response = Response::target(request, format!("{mark}{}", target::render(old, &services)?));
        let unchecked = "no Compose file was found, so the services and what they publish could not be checked";
        Ok(if base.is_some() { response } else { response.diagnostic(Diagnostic::info(unchecked)) })
    }
}

#[cfg(test)]
mod tests;
