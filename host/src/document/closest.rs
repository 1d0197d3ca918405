//! The word that was probably meant.

/// How alike two words are at least, from 0 to 1 (Jaro-Winkler), for one to be taken for a misspelling of the other.
const ALIKE: f64 = 0.8;

/// Words longer than this, in bytes, are not compared: the comparison takes the product of both lengths.
const LONGEST: usize = 100;

/// The candidate that `word` is most likely a misspelling of; none when nothing is near. Upper and lower case count as the same.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| word.len().max(candidate.len()) <= LONGEST)
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_none() {
        let fields = ["key", "preferred", "range", "host"];
        assert_eq!(closest("prefered", fields), Some("preferred"));
        assert_eq!(closest("Range", fields), Some("range"));
        assert_eq!(closest("hsot", fields), Some("host"));
        assert_eq!(closest("zebra", fields), None);
        assert_eq!(closest("x", []), None);
    }
}
