//! Commands in documents that a test runs as they are written.

/// A fenced block of shell commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence, counted from 1.
    pub line: usize,
    /// What stands in it; in a `console` block the lines after a `$ ` prompt.
    pub script: String,
}

/// The blocks under a comment `<!-- test -->` on a line of its own, in their order.
///
/// A `sh` block is a script; a `console` block is a transcript, in which commands follow `$ ` and the rest is what they answer.
///
/// # Panics
/// When the comment stands over anything but such a block, or the block has no end: a document must not lose its tests silently.
#[must_use]
pub fn blocks_for_testing(text: &str) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let marks = lines.iter().enumerate().filter(|(_, line)| line.trim() == "<!-- test -->");
    marks.map(|(mark, _)| block_at(&lines, mark + 1)).collect()
}

fn block_at(lines: &[&str], fence: usize) -> Block {
    let line = fence + 1;
    let opening = lines.get(fence).copied().unwrap_or_default();
    let console = match opening {
        "```console" => true,
        "```sh" | "```bash" => false,
        other => panic!("line {line}: expected a fence of sh or console after the test mark, found `{other}`"),
    };
    let body = &lines[fence + 1..];
    let end = body.iter().position(|line| line.starts_with("```")).unwrap_or_else(|| panic!("line {line}: no end"));
    let commands = body[..end].iter().filter_map(|line| if console { line.strip_prefix("$ ") } else { Some(*line) });
    Block { line, script: commands.collect::<Vec<_>>().join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_taken() {
        let text = "# T\n```sh\nrm -rf x\n```\n<!-- test -->\n```console\n$ a b\nanswer\n$ c\n```\n";
        assert_eq!(blocks_for_testing(text), [Block { line: 6, script: "a b\nc".into() }]);
    }

    #[test]
    #[should_panic(expected = "line 2")]
    fn a_mark_without_a_block_is_an_error() {
        let _ = blocks_for_testing("<!-- test -->\ntext\n");
    }
}
