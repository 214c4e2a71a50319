//! JSON lines: one value a line, numbered from 1, blank lines passed over.

use serde::Deserialize;

use super::Reading;

/// How many lines are looked at to recognise a format. Logs begin with lines of several kinds.
const LOOKED_AT: usize = 50;

/// Every line that is not blank, with its number.
pub(super) fn numbered(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

/// Reads every line as a `T` and gives it to `each`; a line that is none is skipped.
pub(super) fn read<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    reading: &mut Reading,
    mut each: impl FnMut(u64, T, &mut Reading),
) {
    for (number, line) in numbered(bytes) {
        match serde_json::from_slice(line) {
            Ok(value) => each(number, value, reading),
            Err(error) => reading.skip(number, complaint(&error)),
        }
    }
}

/// Whether one of the first lines is a `T` that `is` knows. `wants` says what was looked for.
pub(super) fn any<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    wants: &str,
    is: impl Fn(&T) -> bool,
) -> Result<(), String> {
    let mut seen = 0;
    let mut objects = 0;
    for (_, line) in numbered(bytes).take(LOOKED_AT) {
        seen += 1;
        objects += usize::from(line.starts_with(b"{"));
        if serde_json::from_slice(line).is_ok_and(|value| is(&value)) {
            return Ok(());
        }
    }
    Err(match (seen, objects) {
        (0, _) => "it is empty".to_owned(),
        (_, 0) => "no line is a JSON object".to_owned(),
        (1, _) => format!("its one line is no object with {wants}"),
        _ => format!("none of its first {seen} lines is an object with {wants}"),
    })
}

/// What the parser says, in the words of JSON, with the column but without its own line number,
/// which is always 1.
pub(super) fn complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Eof => format!("it breaks off after {} bytes", error.column()),
        _ => format!("{}, at column {}", in_words_of_json(text), error.column()),
    }
}

fn in_words_of_json(text: &str) -> String {
    let wrong = text.strip_prefix("invalid type: ").or(text.strip_prefix("invalid value: "));
    match wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("{} where {} should be", kind(found), wanted(expected)),
        None => text.to_owned(),
    }
}

/// What was found. A text is not repeated: it may be long, and somebody's prompt.
fn kind(found: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    match kind {
        "string" => "a text".to_owned(),
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "integer" | "boolean" => value.replace('`', ""),
        "floating" => value.trim_start_matches("point ").replace('`', ""),
        _ => found.to_owned(),
    }
}

/// What was expected, without the names of this program's own types.
fn wanted(expected: &str) -> &str {
    match expected.split(' ').next().unwrap_or_default() {
        "struct" | "map" | "internally" | "adjacently" => "an object",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "string" => "a text",
        "tuple" => "a list",
        "enum" | "variant" | "unit" => "one of the known words",
        _ => match expected {
            "a string" | "a borrowed string" => "a text",
            "a sequence" => "a list",
            "a map" => "an object",
            other => other,
        },
    }
}
