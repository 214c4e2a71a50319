//! JSON arrays of like objects as tables.
//!
//! A table has a heading, a line with the names of its columns, and a line for each object; tabs
//! stand between cells. A cell is JSON, or plain text where that cannot be taken for JSON.
//! [`read_table`] reads the same values again.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::json::{LeftAlone, compact};
use crate::scan::{Kind, Scanner};

const HEADING: &str = "table of ";
const HEADING_END: &str = " rows, tab-separated; cells are text or JSON";

/// Fewer rows than this are not worth a heading.
const FEWEST_ROWS: usize = 3;

/// A JSON array of objects with the same keys in the same order, as a table.
///
/// `None` for anything else, for what [`super::minify`] leaves alone, and where a table would be no
/// shorter than JSON without white space.
pub fn table(text: &str) -> Option<String> {
    let trimmed = text.trim_ascii();
    if !trimmed.starts_with('[') {
        return None;
    }
    let mut scanner = Scanner::new(trimmed.as_bytes());
    let rows = rows(&mut scanner).ok()?;
    scanner.finish().ok()?;
    if rows.count < FEWEST_ROWS {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    write!(out, "{HEADING}{}{HEADING_END}", rows.count).expect("a text takes everything");
    out.push('\n');
    out.push_str(&rows.names);
    out.push_str(&rows.cells);
    (out.len() < rows.compact_bytes && out.len() < text.len()).then_some(out)
}

/// Whether a text is a table, or begins like one.
pub fn is_table(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with(HEADING) && first.ends_with(HEADING_END)
}

/// Reads a table: the names of its columns, and each row's cells as JSON.
pub fn read_table(text: &str) -> Option<(Vec<String>, Vec<Vec<serde_json::Value>>)> {
    if !is_table(text) {
        return None;
    }
    let mut lines = text.split('\n').skip(1);
    let names = lines.next()?.split('\t').map(read_name).collect::<Option<Vec<_>>>()?;
    let rows = lines.map(|line| line.split('\t').map(read_cell).collect()).collect();
    Some((names, rows))
}

fn read_name(cell: &str) -> Option<String> {
    match cell.starts_with('"') {
        true => serde_json::from_str(cell).ok(),
        false => Some(cell.to_owned()),
    }
}

fn read_cell(cell: &str) -> serde_json::Value {
    serde_json::from_str(cell).unwrap_or_else(|_| serde_json::Value::String(cell.to_owned()))
}

/// The parts of a table while an array is read.
#[derive(Default)]
struct Rows {
    names: String,
    /// Each row with the line break before it.
    cells: String,
    count: usize,
    /// What the array takes as JSON without white space.
    compact_bytes: usize,
}

fn rows(scanner: &mut Scanner<'_>) -> Result<Rows, LeftAlone> {
    let mut rows = Rows { compact_bytes: 2, ..Rows::default() };
    let mut columns: Vec<Cow<'_, [u8]>> = Vec::new();
    let mut value = Vec::new();
    let mut elements = scanner.enter_array()?;
    while scanner.element(&mut elements)? {
        if scanner.kind()? != Kind::Object {
            return Err(LeftAlone);
        }
        let mut width = 0;
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            let key = member.key.decoded();
            match columns.get(width) {
                None if rows.count == 0 => columns.push(key),
                Some(column) if *column == key => {}
                _ => return Err(LeftAlone),
            }
            rows.cells.push(if width == 0 { '\n' } else { '\t' });
            value.clear();
            compact(scanner, &mut value)?;
            put_cell(&value, &mut rows.cells)?;
            rows.compact_bytes += member.key.raw().len() + value.len() + 4;
            width += 1;
        }
        if width == 0 || width < columns.len() {
            return Err(LeftAlone);
        }
        if rows.count == 0 {
            let mut names = columns.clone();
            names.sort_unstable();
            names.dedup();
            if names.len() < columns.len() {
                return Err(LeftAlone);
            }
        }
        rows.count += 1;
        rows.compact_bytes += 2;
    }
    for (at, column) in columns.iter().enumerate() {
        if 0 < at {
            rows.names.push('\t');
        }
        let name = std::str::from_utf8(column).map_err(|_| LeftAlone)?;
        match is_plain(name) {
            true => rows.names.push_str(name),
            false => rows.names.push_str(&serde_json::Value::from(name).to_string()),
        }
    }
    Ok(rows)
}

/// Appends a value as a cell: a string as it reads if nobody can take it for anything else.
fn put_cell(value: &[u8], out: &mut String) -> Result<(), LeftAlone> {
    let json = std::str::from_utf8(value).map_err(|_| LeftAlone)?;
    if !json.starts_with('"') {
        out.push_str(json);
        return Ok(());
    }
    // A half of a pair is no text, and stays spelled as it is nowhere else.
    let text: String = serde_json::from_str(json).map_err(|_| LeftAlone)?;
    match is_plain(&text) && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err() {
        true => out.push_str(&text),
        false => out.push_str(json),
    }
    Ok(())
}

/// Whether a text may stand in a table without quotes, if it is no JSON.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['"', '[', '{'])
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(char::is_whitespace)
        && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::super::json::tests::any_json;
    use super::*;

    fn rebuilt(text: &str) -> Value {
        let (names, rows) = read_table(text).expect("a table");
        let row = |cells: Vec<Value>| {
            assert_eq!(cells.len(), names.len());
            Value::Object(names.iter().cloned().zip(cells).collect::<Map<_, _>>())
        };
        Value::Array(rows.into_iter().map(row).collect())
    }

    /// An array of objects with the same keys, cells of any kind.
    fn any_array() -> impl Strategy<Value = Value> {
        let tricky = prop_oneof![
            any_json().prop_map(|(value, _)| value),
            prop::sample::select(vec![
                "", " ", "5", "-1.5e3", "true", "null", "\"", "[", "{", "a\tb", "a\nb", "nul",
                "\u{b}", "\u{85}", "x ", "\\t", "1 2",
            ])
            .prop_map(|text| Value::String(text.to_owned())),
        ];
        let keys = prop::collection::btree_set(
            prop_oneof!["[a-z]{1,6}", "\\PC{0,4}", any::<String>()],
            1..5,
        );
        (keys, 1_usize..12).prop_flat_map(move |(keys, rows)| {
            let keys: Vec<String> = keys.into_iter().collect();
            let row = prop::collection::vec(tricky.clone(), keys.len());
            prop::collection::vec(row, rows).prop_map(move |rows| {
                let object = |cells: Vec<Value>| {
                    Value::Object(keys.iter().cloned().zip(cells).collect::<Map<_, _>>())
                };
                Value::Array(rows.into_iter().map(object).collect())
            })
        })
    }

    proptest! {
        #[test]
        fn the_same_values_are_read_from_a_table(array in any_array(), is_pretty: bool) {
            let written = match is_pretty {
                true => serde_json::to_string_pretty(&array).unwrap(),
                false => array.to_string(),
            };
            let Some(text) = table(&written) else { return Ok(()) };
            prop_assert!(text.len() < written.len());
            prop_assert_eq!(rebuilt(&text), serde_json::from_str::<Value>(&written).unwrap());
            prop_assert_eq!(table(&text), None);
            prop_assert!(super::super::minify(&text).is_none());
        }

        #[test]
        fn what_is_no_array_of_like_objects_is_left_alone((value, written) in any_json()) {
            if let Some(text) = table(&written) {
                prop_assert_eq!(rebuilt(&text), value);
            }
        }
    }

    #[test]
    fn a_table_is_what_a_person_would_write() {
        let rows = r#"[{"id": 1, "name": "lamp", "tags": ["a", "b"], "note": null},
            {"id": 2, "name": "7", "tags": [], "note": "on\tsale"},
            {"id": 3, "name": "", "tags": {"x": 1}, "note": "caf\u00e9"}]"#;
        expect![[r#"
            table of 3 rows, tab-separated; cells are text or JSON
            id	name	tags	note
            1	lamp	["a","b"]	null
            2	"7"	[]	"on\tsale"
            3	""	{"x":1}	café"#]]
        .assert_eq(&table(rows).unwrap());
    }

    #[test]
    fn what_is_not_uniform_or_doubtful_or_short_is_left_alone() {
        let many = |row: &str| format!("[{}]", vec![row; 40].join(", "));
        for text in [
            r#"[{"a": 1, "b": 2}, {"b": 1, "a": 2}, {"a": 1, "b": 2}]"#.to_owned(),
            r#"[{"identifier": 1}, {"identifier": 1, "b": 2}, {"identifier": 1}]"#.to_owned(),
            r#"[{"a": 1}, 2, {"a": 3}]"#.to_owned(),
            "[{}, {}, {}]".to_owned(),
            many(r#"{"a": 1, "a": 2}"#),
            many(r#"{"identifier": {"a": 1, "a": 2}}"#),
            many(&format!("{{\"identifier\": {}}}", "1".repeat(400))),
            many(r#"{"identifier": "\ud800"}"#),
            many(r#"{"identifier": 1}"#) + "x",
            "[{\"identifier\": 1}]".to_owned(),
            "[]".to_owned(),
        ] {
            assert_eq!(table(&text), None, "{text}");
        }
        assert!(table(&many(r#"{"identifier": 1}"#)).is_some());
    }
}
