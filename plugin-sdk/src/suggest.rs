//! Suggestions for misspelt words.

/// The candidate that the word was probably meant to be: at most a third of its letters differ, and the case of ASCII
/// letters does not count.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_ascii_lowercase();
    let tolerance = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &candidate.to_ascii_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= tolerance)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// A sentence that helps whoever wrote the word: "Did you mean `x`?", else what there is, else nothing.
#[must_use]
pub fn help<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(candidate) = nearest(word, candidates.iter().copied()) {
        return Some(format!("Did you mean `{candidate}`?"));
    }
    let list: Vec<_> = candidates.iter().map(|candidate| format!("`{candidate}`")).collect();
    (!list.is_empty()).then(|| format!("There is {}.", list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let names = ["SERVICE_PORT", "FRONTEND_PORT"];
        assert_eq!(nearest("SERVIC_PORT", names), Some("SERVICE_PORT"));
        assert_eq!(nearest("frontend_port", names), Some("FRONTEND_PORT"));
        assert_eq!(nearest("DB", names), None);
    }

    #[test]
    fn without_a_near_word_the_help_lists_what_there_is() {
        assert_eq!(help("wbe", ["web", "db"]).unwrap(), "Did you mean `web`?");
        assert_eq!(help("frontend", ["web", "db"]).unwrap(), "There is `web`, `db`.");
        assert_eq!(help("web", []), None);
    }
}
