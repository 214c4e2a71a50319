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

/// What the parser says, with the column but without its own line number, which is always 1.
pub(super) fn complaint(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Eof => format!("it breaks off after {} bytes", error.column()),
        _ => format!("{text}, at column {}", error.column()),
    }
}
