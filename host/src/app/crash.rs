//! What is said when portkeeper itself crashes.

#[cfg(panic = "abort")]
use std::panic;

#[cfg(panic = "abort")]
use crate::document::harmless_line;
#[cfg(panic = "abort")]
use crate::plugins::in_compiler;

/// Where a panic ends the process, one over a plugin's bytes still ends it with the plugin's name and exit code 3.
#[cfg(panic = "abort")]
pub(crate) fn report_crashes() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let plugins: Vec<_> = in_compiler().iter().map(|plugin| harmless_line(&plugin.to_string())).collect();
        if !plugins.is_empty() {
            end(&format!("the compiler crashed on {}: nothing was written", plugins.join(", or on ")));
        }
    }));
}

/// Where panics unwind, the engine catches them.
#[cfg(not(panic = "abort"))]
pub(crate) fn report_crashes() {}

#[cfg(panic = "abort")]
#[expect(clippy::exit, clippy::print_stderr, reason = "the process ends in any case, and there is no printer in here")]
fn end(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(3)
}
