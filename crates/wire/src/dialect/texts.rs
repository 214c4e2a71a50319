//! Where in a block its texts stand: what a transform reads and writes.
//!
//! They are looked for only in a body that is shaped or cut, which most are not.

use scrimp_core::Role;

use crate::scan::{Kind, Piece, Scanner, Wrong};

/// Members that hold a block's text, or what holds it.
const HOLDERS: &[&[u8]] = &[
    b"text",
    b"content",
    b"output",
    b"toolResult",
    b"functionResponse",
    b"function_response",
    b"response",
    b"result",
];

/// Members of texts and documents that hold what they say.
const SEARCHED: &[&[u8]] =
    &[b"text", b"content", b"source", b"data", b"title", b"context", b"file"];

/// The strings of a block that a model reads as text, quotes included. What a user says is text only;
/// a tool's result may lie deeper.
pub(super) fn texts(body: &[u8], block: Piece, role: Role) -> Vec<Piece> {
    found(
        body,
        block,
        match role {
            Role::ToolResult => |key| HOLDERS.contains(&key),
            _ => |key| key == b"text",
        },
    )
}

/// The strings of a block that a reader of it would search, those of a document too.
pub(super) fn searched(body: &[u8], block: Piece) -> Vec<Piece> {
    found(body, block, |key| SEARCHED.contains(&key))
}

/// Strings in members whose keys hold texts.
fn found(body: &[u8], block: Piece, holds: fn(&[u8]) -> bool) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut scanner = Scanner::new(&body[..block.end as usize]).again_from(block.start as usize);
    if block.start < block.end && read(&mut scanner, holds, &mut found).is_err() {
        found.clear();
    }
    found
}

fn read(
    scanner: &mut Scanner<'_>,
    holds: fn(&[u8]) -> bool,
    found: &mut Vec<Piece>,
) -> Result<(), Wrong> {
    match scanner.kind()? {
        Kind::String => {
            let start = scanner.at();
            scanner.string()?;
            found.push(Piece::new(start, scanner.at()));
        }
        Kind::Array => {
            let mut elements = scanner.enter_array()?;
            while scanner.element(&mut elements)? {
                read(scanner, holds, found)?;
            }
        }
        Kind::Object => {
            let mut members = scanner.enter_object()?;
            while let Some(member) = scanner.member(&mut members)? {
                match holds(&member.key.decoded()) {
                    true => read(scanner, holds, found)?,
                    false => drop(scanner.skip()?),
                }
            }
        }
        Kind::Number | Kind::Bool | Kind::Null => drop(scanner.skip()?),
    }
    Ok(())
}

/// A string's text. `None` if it is none (a half of a surrogate pair).
pub(super) fn decoded(quoted: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(quoted.len());
    Scanner::new(quoted).string_into(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
