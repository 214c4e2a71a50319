//! Counts against `bpe-openai`, which shares no code with the crate that counts.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without has to be there")]

use proptest::prelude::*;
use scrimp_tokens::Vocabulary;

fn check(text: &str) {
    for (name, oracle) in
        [("o200k_base", bpe_openai::o200k_base()), ("cl100k_base", bpe_openai::cl100k_base())]
    {
        let ours = Vocabulary::of_encoding(name).unwrap().count(text).tokens;
        let shown: String = text.chars().take(200).collect();
        assert_eq!(ours, oracle.count(text) as u64, "{name}: {shown:?}");
    }
}

#[test]
fn long_runs_are_counted_alike_and_in_time() {
    let run = |unit: &str| check(&unit.repeat(200_000 / unit.len()));
    ["a", " ", "\n", "7", "=", "語", "aB", "🙂", " \n", "ab"].into_iter().for_each(run);
}

#[test]
fn this_repository_is_counted_alike() {
    check(include_str!("../../../ARCHITECTURE.md"));
    check(include_str!("../../../Cargo.lock"));
    check(include_str!("../../wire/data/prices.txt"));
    check(include_str!("../../../xtask/src/tidy.rs"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_counted_alike(text in ".{0,400}") {
        check(&text);
    }

    /// What pre-tokenizers look at: spaces, line ends, contractions, digits, case, scripts.
    #[test]
    fn texts_of_awkward_parts_are_counted_alike(
        parts in proptest::collection::vec(
            prop_oneof![
                Just(" "), Just("  "), Just("\n"), Just("\r\n"), Just("\t"), Just("'s"), Just("'LL"),
                Just("don't"), Just("ABCdef"), Just("1234567"), Just("...\n/"), Just("é"),
                Just("e\u{301}"), Just("日本"), Just("🙂"), Just("\u{a0}"), Just("\u{2028}"),
                Just("//"), Just("({["), Just("x"), Just("Ǆ"), Just("ʰ"), Just("٣"),
            ],
            0..60,
        )
    ) {
        check(&parts.concat());
    }
}
