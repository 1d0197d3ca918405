//! Reserves a port, writes it into `.env` and `config.json`, and releases it at the end.
//!
//! `cargo run --example basic_reserve` in a directory where it may write.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use portkeeper::{PortRegistry, Selection};
use serde_json::{Map, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = PortRegistry::open()?;

    // 8888 if it is free, else the next one up to 8988.
    let reserved = registry.reserve(&Selection::new().preferred(8888)?.range(8888, 8988)?.owner("basic_reserve"))?;
    println!("reserved {}:{}", reserved.host(), reserved.port());

    // Comments, order and other keys stay as they are in both files.
    registry.write_env(".env", [("PORT", reserved.port().to_string())])?;
    let server = json!({ "host": reserved.host(), "port": reserved.port() });
    registry.update_config_json("config.json", &Map::from_iter([("server".to_owned(), server)]))?;

    // Here `reserved` is dropped and the port is released. `reserved.keep()` would let it live on.
    Ok(())
}
