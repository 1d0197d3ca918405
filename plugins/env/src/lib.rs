//! The built-in `env` format: variables in a `.env` file that has an owner.
//!
//! Every entry of the map becomes a variable; the rest of the file stays as it is. How lines, quotes and duplicates are treated is told
//! in [`portkeeper_plugin_sdk::env_file`]. There are no options: the host sees that in the schema and lets none through.

use portkeeper_plugin_sdk::env_file::EnvFile;
use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin};

/// The format.
#[derive(Debug)]
pub struct Env;

export_plugin!(Env);

impl Plugin for Env {
    fn describe() -> Metadata {
        Metadata::new("env", env!("CARGO_PKG_VERSION"), "Variables in a .env file; comments, order and quoting stay")
            .output_types(["env", "dotenv", "compose_env"])
            .default_path(".env")
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let mut file = EnvFile::parse(request.old_text())?;
        for (key, value) in &request.entries {
            file.set(key, value)?;
        }
        let response = Response::target(request, file.to_string());
        let repeated = file.repeated();
        let duplicates =
            request.entries.iter().filter_map(|(key, _)| duplicate(key, repeated.get(key.as_str())?, request));
        Ok(duplicates.fold(response, Response::diagnostic))
    }
}

/// What to say about a key that stands in the file more than once.
fn duplicate(key: &str, lines: &[usize], request: &Request) -> Option<Diagnostic> {
    let [.., earlier, last] = lines[..] else { return None };
    let message =
        format!("`{key}` stands here too; the one in line {last} counts, and only that one is kept up to date");
    Some(Diagnostic::warning(message).at(&request.target.path, u32::try_from(earlier).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests;
