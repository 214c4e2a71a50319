//! Kinds of text: vocabularies differ most on code and data, and least on prose.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sentences.
    Prose,
    /// Programs and markup.
    Code,
    /// JSON, tables, logs: many digits, quotes and separators.
    Data,
    /// Text in other scripts than Latin.
    Foreign,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Prose, Kind::Code, Kind::Data, Kind::Foreign];
}

/// About so many bytes are judged together: long enough to tell code from prose, short enough that
/// a document with both is not taken for one.
const PIECE: usize = 1_024;

/// A text in pieces of whole lines with the kind of each. Together they are the text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = (Kind, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = piece_end(rest)?;
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some((kind(piece), piece))
    })
}

/// Where the next piece ends: behind a line's end, or anywhere in a line that is far too long.
fn piece_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.len() {
        0 => None,
        length @ 0..=PIECE => Some(length),
        length => {
            let longest = length.min(64 * PIECE);
            let newline = bytes[PIECE..longest].iter().position(|byte| *byte == b'\n');
            let end = newline.map_or(longest, |at| PIECE + at + 1);
            (0..=end).rev().find(|end| text.is_char_boundary(*end))
        }
    }
}

/// What a piece is, by its bytes.
fn kind(piece: &str) -> Kind {
    let (mut foreign, mut data, mut code, mut letters) = (0_usize, 0_usize, 0_usize, 0_usize);
    for byte in piece.bytes() {
        match byte {
            128.. => foreign += 1,
            b'0'..=b'9' | b'"' | b',' | b':' | b'[' | b']' | b'|' | b'\t' => data += 1,
            b'{' | b'}' => {
                data += 1;
                code += 1;
            }
            b'(' | b')' | b';' | b'=' | b'<' | b'>' | b'_' | b'*' | b'&' | b'$' | b'/' => code += 1,
            b'a'..=b'z' | b'A'..=b'Z' => letters += 1,
            _ => {}
        }
    }
    match () {
        // Two or three bytes each: a third of the bytes is a fifth of the characters.
        () if piece.len() < foreign * 3 => Kind::Foreign,
        () if letters < data * 4 => Kind::Data,
        () if letters < code * 16 || letters < (code + data) * 9 => Kind::Code,
        () => Kind::Prose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_seen_by_its_marks() {
        for (text, expected) in [
            ("It was the best of times, it was the worst of times: an age of wisdom.", Kind::Prose),
            ("fn main() {\n    let x = foo(&bar)?;\n    println!(\"{x}\");\n}", Kind::Code),
            (r#"{"id": 17, "name": "Ann", "tags": ["a", "b"], "at": 1726}"#, Kind::Data),
            ("吾輩は猫である。名前はまだ無い。", Kind::Foreign),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_the_text(lines in proptest::collection::vec(".{0,900}", 0..9)) {
            let text = lines.join("\n");
            let again: String = pieces(&text).map(|(_, piece)| piece).collect();
            proptest::prop_assert_eq!(again, text);
        }
    }
}
