//! What somebody may have meant who misspelt a name.

/// Up to `most` of `names` that are close to `wanted`, the closest first.
pub(super) fn nearest<'n>(
    wanted: &str,
    names: impl Iterator<Item = &'n str>,
    most: usize,
) -> Vec<&'n str> {
    let wanted = wanted.to_lowercase();
    // A third of the name may be wrong; beyond that it is another name.
    let limit = (wanted.chars().count() / 3).max(2);
    let mut close: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&wanted, &lower).filter(|distance| *distance <= limit);
            // A part of a name is closer than another name.
            let part = lower.contains(&wanted) && 3 <= wanted.len();
            distance.or(part.then_some(limit)).map(|distance| (distance, name))
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().map(|(_, name)| name).take(most).collect()
}

/// How many characters must be inserted, removed or replaced (Levenshtein). `None` where the lengths
/// alone say that it is too far.
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) / 2 < a.len().abs_diff(b.len()) {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["claude-opus-5", "claude-opus-5-5", "claude-sonnet-5", "gpt-4o", "o1"];
        let near = |wanted| nearest(wanted, names.into_iter(), 2);
        assert_eq!(near("claude-opus5"), ["claude-opus-5", "claude-opus-5-5"]);
        assert_eq!(near("gpt4o"), ["gpt-4o"]);
        assert_eq!(near("opus"), ["claude-opus-5", "claude-opus-5-5"]);
        assert_eq!(near("weather"), [""; 0]);
    }
}
