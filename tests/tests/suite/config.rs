//! The configs that the tests prepare.

use portkeeper_tests::Ports;
use serde_json::{Value, json};

/// The config of the Python tool's README.
pub(crate) const README_JSON: &str = r#"{
  "host": "127.0.0.1",
  "ports": [
    { "key": "SERVICE_PORT", "preferred": 8888, "range": [8888, 8988] },
    { "key": "FRONTEND_PORT", "preferred": 8080, "range": [8080, 8180] }
  ],
  "outputs": [
    { "type": "env", "path": ".env" },
    { "type": "json", "path": "config.json", "map": {
      "httpUrl": "https://${SERVICE_HOST:-localhost}:${SERVICE_PORT}",
      "wsUrl":   "wss://${SERVICE_HOST:-localhost}:${SERVICE_PORT}/ws"
    }},
    { "type": "runtime_js", "path": "runtime-config.js", "map": {
      "httpUrl": "https://${SERVICE_HOST:-localhost}:${SERVICE_PORT}",
      "wsUrl":   "wss://${SERVICE_HOST:-localhost}:${SERVICE_PORT}/ws"
    }}
  ]
}
"#;

/// The same in YAML, with the paths of the Python tool's README.
pub(crate) const README_YAML: &str = r#"host: 127.0.0.1
ports:
  - key: SERVICE_PORT
    preferred: 8888
    range: [8888, 8988]
  - key: FRONTEND_PORT
    preferred: 8080
    range: [8080, 8180]
outputs:
  - type: env
    path: .env
  - type: json
    path: examples/visual-programming/config.json
    map:
      httpUrl: "https://${SERVICE_HOST:-localhost}:${SERVICE_PORT}"
      wsUrl:   "wss://${SERVICE_HOST:-localhost}:${SERVICE_PORT}/ws"
      visualUrl: "http://${FRONTEND_HOST:-localhost}:${FRONTEND_PORT}"
  - type: runtime_js
    path: examples/visual-programming/runtime-config.js
    map:
      httpUrl: "https://${SERVICE_HOST:-localhost}:${SERVICE_PORT}"
      wsUrl:   "wss://${SERVICE_HOST:-localhost}:${SERVICE_PORT}/ws"
"#;

/// The README's config as a value.
pub(crate) fn readme_json() -> Value {
    serde_json::from_str(README_JSON).unwrap()
}

/// The README's config with ports that no other test uses: the service on the first, the frontend on the second.
pub(crate) fn readme_with(ports: &Ports) -> Value {
    let mut config = readme_json();
    for (position, entry) in (0..).zip(config["ports"].as_array_mut().unwrap()) {
        entry["preferred"] = json!(ports.at(position));
        entry["range"] = json!([ports.at(position), ports.at(position)]);
    }
    config
}

/// A config with one key in the range, and the outputs.
#[expect(clippy::needless_pass_by_value, reason = "callers write the outputs in place")]
pub(crate) fn one_port(ports: &Ports, outputs: Value) -> Value {
    json!({ "ports": [{ "key": "SERVICE_PORT", "range": ports.to_string() }], "outputs": outputs })
}
