//! Bodies that are JSON and bodies that are not.

use super::*;
use proptest::prelude::*;

fn scan(bytes: &[u8]) -> Result<(), Wrong> {
    let mut scanner = Scanner::new(bytes);
    scanner.skip()?;
    scanner.finish()
}

#[test]
fn what_is_no_json_is_refused_where_it_goes_wrong() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    for (text, expected) in [
        ("", Err(Wrong::Truncated { at: 0 })),
        ("  ", Err(Wrong::Truncated { at: 2 })),
        ("{", Err(Wrong::Truncated { at: 1 })),
        ("{\"a\"", Err(Wrong::Truncated { at: 4 })),
        ("{\"a\":1,}", Err(Wrong::Syntax { at: 7 })),
        ("[1,]", Err(Wrong::Syntax { at: 3 })),
        ("[1 2]", Err(Wrong::Syntax { at: 3 })),
        ("{a:1}", Err(Wrong::Syntax { at: 1 })),
        ("\"a\nb\"", Err(Wrong::Syntax { at: 2 })),
        ("\"\\x\"", Err(Wrong::Syntax { at: 1 })),
        ("\"\\u12", Err(Wrong::Truncated { at: 5 })),
        ("\"\\u12g4\"", Err(Wrong::Syntax { at: 1 })),
        ("\"\\", Err(Wrong::Truncated { at: 2 })),
        ("NaN", Err(Wrong::Syntax { at: 0 })),
        ("nul", Err(Wrong::Truncated { at: 3 })),
        ("nule", Err(Wrong::Syntax { at: 0 })),
        ("01", Err(Wrong::Trailing { at: 1 })),
        ("-", Err(Wrong::Truncated { at: 1 })),
        ("1.", Err(Wrong::Truncated { at: 2 })),
        ("1.e5", Err(Wrong::Syntax { at: 2 })),
        ("+1", Err(Wrong::Syntax { at: 0 })),
        ("{} {}", Err(Wrong::Trailing { at: 3 })),
        ("\u{feff}{}", Err(Wrong::Syntax { at: 0 })),
        (&deep(129), Err(Wrong::TooDeep { at: 128 })),
        (&deep(100_000), Err(Wrong::TooDeep { at: 128 })),
        (&deep(128), Ok(())),
        ("1e999", Ok(())),
        ("-0.5E-7", Ok(())),
        ("\"\\ud800\"", Ok(())),
        (" {\"a\" : [ ] , \"b\":{ } } \n", Ok(())),
    ] {
        assert_eq!(scan(text.as_bytes()), expected, "{text:.40}");
    }
}

#[test]
fn members_are_the_same_however_they_are_spaced() {
    let members = |text: &str| {
        let mut scanner = Scanner::new(text.as_bytes());
        let (mut state, mut found) = (scanner.enter_object()?, Vec::new());
        while let Some(member) = scanner.member(&mut state)? {
            let key = String::from_utf8(member.key.decoded().into_owned()).unwrap();
            found.push((key, member.start, member.is_first));
            scanner.skip()?;
        }
        scanner.finish().map(|()| found)
    };
    let key = "a key of more than thirty-two characters";
    let expected = |starts: [usize; 3]| {
        Ok(vec![
            (String::from("a"), starts[0], true),
            (String::from("b"), starts[1], false),
            (String::from(key), starts[2], false),
        ])
    };
    let compact = format!(r#"{{"a":1,"\u0062":2,"{key}":3}}"#);
    assert_eq!(members(&compact), expected([1, 6, 17]));
    let spaced = format!("{{ \"a\" :1\n, \"b\": 2 ,\"{key}\"\t:3}}");
    assert_eq!(members(&spaced), expected([2, 9, 18]));
    for (text, at) in [
        ("{\"a\":1,}", 7),
        ("{\"a\":1,,\"b\":1}", 7),
        ("{,\"a\":1}", 1),
        ("{\"a\":1\"b\":1}", 6),
        ("{\"a\"1}", 4),
        ("{\"a\":1,\"b\n\":1}", 9),
    ] {
        assert_eq!(members(text), Err(Wrong::Syntax { at }), "{text}");
    }
}

#[test]
fn a_short_whole_number_is_read_where_it_ends_plainly() {
    for (text, expected) in [
        ("0,", Some(0)),
        ("7}", Some(7)),
        ("999999999999]", Some(999_999_999_999)),
        ("1000000000000]", None),
        ("00,", None),
        ("07,", None),
        ("-1,", None),
        ("1.0,", None),
        ("1e3,", None),
        ("1 ,", None),
        ("1", None),
        (",", None),
        ("", None),
        ("null,", None),
    ] {
        let mut scanner = Scanner::new(text.as_bytes());
        assert_eq!(scanner.short_whole(), expected, "{text}");
        assert_eq!(scanner.at(), expected.map_or(0, |_| text.len() - 1), "{text}");
    }
}

#[test]
fn different_texts_stay_different_when_their_escapes_are_resolved() {
    let decoded = |text: &str| {
        let mut out = Vec::new();
        Scanner::new(text.as_bytes()).string_into(&mut out).unwrap();
        let string = Scanner::new(text.as_bytes()).string().unwrap();
        assert_eq!(string.decoded().as_ref(), out, "{text}");
        out
    };
    assert_eq!(decoded(r#""\u0041\n\t\/\ud83d\ude42""#), "A\n\t/🙂".as_bytes());
    let lone: Vec<_> =
        [r#""\ud800""#, r#""\ud801""#, r#""\udc00""#, r#""\ufffd""#, r#""\ud800\u0041""#]
            .map(decoded)
            .into();
    for (at, text) in lone.iter().enumerate() {
        assert!(!lone[..at].contains(text), "{at}");
    }
}

#[test]
fn a_byte_ends_plain_text_wherever_it_stands_or_nowhere() {
    for (fill, byte) in b"a !#]\x7f\xff".iter().flat_map(|fill| (0..=u8::MAX).map(|b| (*fill, b))) {
        for at in 0..44 {
            let mut body = vec![fill; 80];
            (body[0], body[at + 1], body[79]) = (b'"', byte, b'"');
            let mut out = Vec::new();
            let ended = Scanner::new(&body).string_into(&mut out);
            let (text, expected) = match byte {
                b'"' => (&body[1..=at], Ok(())),
                0..0x20 | b'\\' => (&body[1..=at], Err(Wrong::Syntax { at: at + 1 })),
                _ => (&body[1..79], Ok(())),
            };
            assert_eq!((ended, out.as_slice()), (expected, text), "{byte} at {at} of {fill}");
            let read = Scanner::new(&body).string().map(|string| string.raw().to_vec());
            assert_eq!(read, ended.map(|()| out), "{byte} at {at} of {fill}");
        }
    }
}

/// JSON of all kinds, where white space may stand between any two.
const TOKENS: [&str; 30] = [
    "{",
    "\"a\"",
    ":",
    "[",
    "1",
    ",",
    "-0.5e+7",
    ",",
    "null",
    ",",
    "true",
    "]",
    ",",
    "\"bc\\n\"",
    ":",
    "{",
    "}",
    ",",
    "\"a key of more than a few bytes\"",
    ":",
    "\"\"",
    ",",
    "\"\"",
    ":",
    "[",
    "]",
    ",",
    "\"false\"",
    ":",
    "false",
];

proptest! {
    #[test]
    fn white_space_changes_nothing_and_no_cut_goes_unseen(
        spaces in prop::collection::vec("[ \n\t\r]{0,2}", TOKENS.len()),
        cut in 0..200_usize,
    ) {
        let canonical = |text: &str| {
            let mut out = Vec::new();
            Scanner::new(text.as_bytes()).canonical(&mut out).map(|()| out)
        };
        let compact = TOKENS.concat() + "}";
        let pairs = spaces.iter().zip(TOKENS);
        let spaced: String = pairs.flat_map(|(space, token)| [space, token]).collect();
        let spaced = spaced + &spaces[0] + "}";
        prop_assert_eq!(canonical(&spaced), canonical(&compact));
        prop_assert_eq!(scan(spaced.as_bytes()), Ok(()));
        for text in [spaced, compact] {
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(scan(&text.as_bytes()[..cut]), Err(Wrong::Truncated { at: cut }));
        }
    }

    #[test]
    fn the_scanner_agrees_with_serde(text in "[\\[\\]{}\":,0-9eE.+\\-tfn\\\\u \n\"ralse]{0,24}") {
        let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&text);
        let scanned = scan(text.as_bytes());
        // Lone surrogates are JSON by its grammar, and serde refuses them.
        let is_surrogate = parsed.as_ref().is_err_and(|e| e.to_string().contains("surrogate"));
        if !is_surrogate {
            prop_assert_eq!(scanned.is_ok(), parsed.is_ok(), "{:?} {:?} {:?}", text, scanned, parsed);
        }
        if let Err(wrong) = scanned {
            prop_assert!(wrong.at() <= text.len());
        }
    }

    #[test]
    fn a_plain_text_is_read_to_its_end(text in "[a-zäß🙂 ]{0,90}", tail in "[\"\\\\\n]") {
        let body = format!("\"{text}{tail}");
        let mut out = Vec::new();
        let ended = Scanner::new(body.as_bytes()).string_into(&mut out);
        prop_assert_eq!(out, text.as_bytes());
        prop_assert_eq!(ended.is_ok(), tail == "\"");
    }
}
