//! The written JavaScript, run by a real engine.

use portkeeper_tests::{Ports, program_or_skip};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// What `window.APP` is after the file has run.
const READ_BACK: &str = r#"node -e '
    globalThis.window = {};
    require("vm").runInThisContext(require("fs").readFileSync("runtime-config.js", "utf8"));
    console.log(JSON.stringify(window.APP));
'"#;

#[test]
fn a_browser_reads_back_what_the_config_says() {
    if program_or_skip("node").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let text = "</script><!-- \u{2028}\u{2029} \"quotes\" \\ ${SERVICE_PORT} $$ ü 🙂";
    let map = json!({ "url": text, "nested": { "list": [1, true, null, "${SERVICE_PORT}"] } });
    let output = json!([{ "type": "runtime_js", "global": "window.APP", "map": map }]);
    sandbox.write("pk.config.json", one_port(&ports, output).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let read: Value = sandbox.shell(READ_BACK).ok().json();
    let port = ports.first().to_string();
    let expanded = text.replace("${SERVICE_PORT}", &port).replace("$$", "$");
    assert_eq!(read, json!({ "url": expanded, "nested": { "list": [1, true, null, port] } }));
    assert!(!sandbox.read("runtime-config.js").contains("</script>"));
}
