//! Whether text is colored.

use std::ffi::OsString;

use clap::ValueEnum;

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` forbids it, and wherever `CLICOLOR_FORCE` demands it.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// What the words say, for help and errors, which come before the words are understood.
    pub(crate) fn of_words(words: &[OsString]) -> Self {
        let before_dashes = words.split(|word| word == "--").next().unwrap_or_default();
        let attached = |word: &OsString| word.to_str()?.strip_prefix("--color=").map(str::to_owned);
        let following =
            before_dashes.windows(2).filter(|pair| pair[0] == "--color").filter_map(|pair| pair[1].to_str());
        let mut all = before_dashes.iter().filter_map(attached).chain(following.map(str::to_owned));
        all.find_map(|word| Self::from_str(&word, false).ok()).unwrap_or(Self::Auto)
    }

    /// Makes this the choice for all that the process prints.
    pub(crate) fn choose(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_found_among_any_words() {
        let of = |line: &str| Color::of_words(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("portkeeper status --color always --nowhere"), Color::Always);
        assert_eq!(of("portkeeper --color=never statsu"), Color::Never);
        assert_eq!(of("portkeeper run -- ls --color=always"), Color::Auto);
        assert_eq!(of("portkeeper status --color"), Color::Auto);
        assert_eq!(of("portkeeper status --color red"), Color::Auto);
    }
}
