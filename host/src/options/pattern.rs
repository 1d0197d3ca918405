//! Regular expressions of schemas: of a kind that takes time in proportion to the text, whatever they are.

use regex_lite::{Regex, RegexBuilder};

/// What a compiled expression may take, in bytes.
const LARGEST: usize = 64 * 1024;

/// The longest expression, in bytes.
const LONGEST: usize = 1_000;

/// Compiles an expression of ECMA-262, as far as it is one without look-around and back-references, which are what makes others slow.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let built = RegexBuilder::new(text).size_limit(LARGEST).nest_limit(50).build();
    built.map_err(|error| format!("{}: {error}", super::violation::shown(text)))
}
