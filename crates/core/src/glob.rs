//! Patterns with `*`, as people write them for names.

/// Whether `pattern` fits the whole of `text`. `*` stands for any run of characters, also for none;
/// everything else stands for itself. Never takes longer than both lengths multiplied.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Behind the last `*`, and where in the text what follows it was last tried.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(letter) if *letter == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((behind, tried)) = retry else { return false };
                retry = Some((behind, tried + 1));
                (p, t) = (behind, tried + 1);
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_and_all_else_is_itself() {
        for (pattern, text) in [
            ("gpt-4o", "gpt-4o"),
            ("gpt-*", "gpt-4o"),
            ("gpt-*", "gpt-"),
            ("*", ""),
            ("*-mini", "gpt-4o-mini"),
            ("a*b*c", "a-b-b-c"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o", "GPT-4o"),
            ("gpt-*", "o3"),
            ("*-mini", "gpt-4o-mini-2"),
            ("", "x"),
            ("gpt-4?", "gpt-4o"),
            ("gpt-4.", "gpt-4o"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn cutting_pieces_out_of_a_text_gives_a_pattern_that_fits(
            pieces in proptest::collection::vec("[ab]{0,3}", 1..6), filler in "[ab]{0,4}"
        ) {
            proptest::prop_assert!(fits(&pieces.join("*"), &pieces.join(&filler)));
        }
    }
}
