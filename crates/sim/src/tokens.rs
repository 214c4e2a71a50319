//! A token counter of the simulator's own. It is no vendor's tokenizer: it only has to be
//! deterministic, of the right size (about four characters of English a token), and different
//! from the estimate that the gateway makes, so that nobody is right by construction.

/// What a byte can be part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Nothing that costs: spaces and the control bytes between rendered parts.
    Silent,
    Letters,
    Digits,
    Mark,
    Line,
    /// The first byte of a character outside ASCII.
    Wide,
    /// Its further bytes.
    Tail,
}

/// How many bytes of one run share a token.
const fn share(run: Run) -> u32 {
    match run {
        Run::Letters => 6,
        Run::Digits => 3,
        Run::Mark => 2,
        Run::Line => 8,
        Run::Wide | Run::Silent | Run::Tail => 1,
    }
}

const fn run_of(byte: u8) -> Run {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Run::Letters,
        b'0'..=b'9' => Run::Digits,
        b'\n' => Run::Line,
        0..=b' ' | 127 => Run::Silent,
        128..=191 => Run::Tail,
        192..=255 => Run::Wide,
        _ => Run::Mark,
    }
}

const RUNS: [Run; 256] = {
    let mut runs = [Run::Silent; 256];
    let mut byte: u8 = 0;
    loop {
        runs[byte as usize] = run_of(byte);
        if byte == 255 {
            break runs;
        }
        byte += 1;
    }
};

/// Calls `starts` with the place of each token's first byte.
fn each_token(text: &[u8], mut starts: impl FnMut(usize)) {
    let (mut current, mut length) = (Run::Silent, 0);
    for (place, byte) in text.iter().enumerate() {
        let run = RUNS[usize::from(*byte)];
        if run == Run::Tail {
            continue;
        }
        length = if run == current { length + 1 } else { 0 };
        current = run;
        if run != Run::Silent && length % share(run) == 0 {
            starts(place);
        }
    }
}

/// The number of tokens in `text`.
pub fn count(text: &[u8]) -> u64 {
    let mut tokens = 0;
    each_token(text, |_| tokens += 1);
    tokens
}

/// The places in `text` before which a whole number of `step` tokens stand, when `before` tokens
/// come ahead of it.
pub(crate) fn cuts(text: &[u8], before: u64, step: u64) -> Vec<(usize, u64)> {
    let mut tokens = before;
    let mut places = Vec::new();
    each_token(text, |place| {
        if tokens.is_multiple_of(step) && tokens != before {
            places.push((place, tokens));
        }
        tokens += 1;
    });
    if tokens.is_multiple_of(step) && tokens != before {
        places.push((text.len(), tokens));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_of_a_believable_size() {
        let cases: [(&str, u64); 7] = [
            ("", 0),
            ("hello", 1),
            ("hello world", 2),
            ("internationalisation", 4),
            ("12345", 2),
            ("a.b", 3),
            ("zürich 東京", 5),
        ];
        for (text, tokens) in cases {
            assert_eq!(count(text.as_bytes()), tokens, "{text}");
        }
    }

    #[test]
    fn cuts_stand_at_whole_steps() {
        let text = "one two three four five";
        assert_eq!(cuts(text.as_bytes(), 0, 2), [(8, 2), (19, 4)]);
        assert_eq!(cuts(text.as_bytes(), 1, 2), [(4, 2), (14, 4), (23, 6)]);
    }

    proptest::proptest! {
        #[test]
        fn cuts_count_like_the_counter(text in "[ a-z0-9.\u{e4}\n]{0,60}", before in 0..9u64, step in 1..6u64) {
            for (place, tokens) in cuts(text.as_bytes(), before, step) {
                assert_eq!(count(&text.as_bytes()[..place]) + before, tokens);
                assert!(tokens.is_multiple_of(step));
            }
        }
    }
}
