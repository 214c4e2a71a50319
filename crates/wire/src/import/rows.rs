//! Records of a log, however they are written: JSON lines, one JSON list (or a page whose `data` is
//! one), or a table of text with a header.
//!
//! A cell of a table becomes a member of an object under its column's name, so that a format says
//! once what its fields are called.

use std::fmt;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::Visitor;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess,
};
use serde_json::value::RawValue;

use super::told::Told;
use super::{Reading, Source, csv, lines};

/// How many records are looked at to recognise a format.
const LOOKED_AT: usize = 5;
/// Where the marks of a format must stand at the latest.
const HEAD_BYTES: usize = 1 << 20;
/// Members of an object that hold a page's records.
const PAGES: &[&str] = &["data", "rows", "items", "logs", "observations", "Records", "loglines"];

/// How a file may be read piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// It may not: what a line means depends on others.
    Whole,
    /// After any line.
    Lines,
    /// After any record; each piece begins with the table's header, of so many bytes.
    Table {
        /// The header's length with the end of its line, and what stands before it.
        header: usize,
    },
}

impl Pieces {
    /// How many of `bytes`, which are no whole file, are whole records.
    pub fn cut(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Pieces::Whole => None,
            Pieces::Lines => memchr::memrchr(b'\n', bytes).map(|at| at + 1),
            Pieces::Table { .. } => csv::last_end(bytes),
        }
    }
}

/// How a file that begins like this is cut.
pub(super) fn pieces(head: &[u8]) -> Pieces {
    match layout(head) {
        Layout::Lines => Pieces::Lines,
        Layout::Whole => Pieces::Whole,
        Layout::Table => {
            let before = head.len() - start(head).len();
            let line = memchr::memchr(b'\n', start(head)).map_or(start(head).len(), |at| at + 1);
            Pieces::Table { header: before + line }
        }
    }
}

/// Lines that mean the same wherever they stand.
pub(super) fn by_line(_: &[u8]) -> Pieces {
    Pieces::Lines
}

/// Files that must be read as a whole.
pub(super) fn whole(_: &[u8]) -> Pieces {
    Pieces::Whole
}

enum Layout {
    Lines,
    Whole,
    Table,
}

fn start(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start()
}

fn layout(bytes: &[u8]) -> Layout {
    let bytes = start(bytes);
    match bytes.first() {
        Some(b'[') => Layout::Whole,
        Some(b'{') => {
            let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let mut keys = Keys::default();
            match keys.read(line) {
                Ok(()) if !keys.is_page => Layout::Lines,
                Err(error) if error.is_eof() && line.len() == bytes.len() => Layout::Lines,
                // A broken line among others, or an object over several lines.
                Err(error) if !error.is_eof() => Layout::Lines,
                _ => Layout::Whole,
            }
        }
        _ => Layout::Table,
    }
}

/// Whether one of the first records has a member, or the table a column, for each of `marks`;
/// `a|b`: either of them.
pub(super) fn fits(bytes: &[u8], marks: &[&str]) -> Result<(), String> {
    let records = first_records(bytes);
    if records.is_empty() {
        return Err("it is empty, or neither JSON nor a table with a header".to_owned());
    }
    let has = |keys: &Vec<String>, mark: &str| {
        mark.split('|').any(|name| keys.iter().any(|key| key == name))
    };
    let missing = |keys: &Vec<String>| marks.iter().find(|mark| !has(keys, mark));
    match records.iter().map(missing).min_by_key(Option::is_some).flatten() {
        None => Ok(()),
        Some(mark) => Err(format!("no first record has `{}`", mark.replace('|', "` or `"))),
    }
}

/// The names of the members of the first records, or of a table's columns.
pub(super) fn first_records(bytes: &[u8]) -> Vec<Vec<String>> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let keys = |json: &[u8]| {
        let mut keys = Keys::default();
        // Of what breaks off, the names that came before count.
        keys.read(json).unwrap_or(());
        keys.names
    };
    let found: Vec<Vec<String>> = match layout(head) {
        Layout::Lines => {
            lines::numbered(head).take(LOOKED_AT).map(|(_, line)| keys(line)).collect()
        }
        Layout::Whole => vec![keys(start(head))],
        Layout::Table => vec![header(head)],
    };
    found.into_iter().filter(|names| !names.is_empty()).collect()
}

/// The columns of a table; none if this is no table.
fn header(bytes: &[u8]) -> Vec<String> {
    let bytes = start(bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_text = std::str::from_utf8(line).is_ok_and(|line| !line.contains('\0'));
    let first = csv::Records::new(line, csv::delimiter(line), 1).next();
    first
        .filter(|first| is_text && 1 < first.cells.len())
        .map_or_else(Vec::new, |first| first.cells)
}

/// Reads every record as a call.
pub(super) fn calls<T: DeserializeOwned>(
    bytes: &[u8],
    source: &Source<'_>,
    told: impl Fn(T) -> Told,
) -> Reading {
    let mut reading = Reading::default();
    records(bytes, source, &mut reading, |line, record, reading| {
        match told(record).entry(source, line) {
            Ok(entry) => reading.entries.push(entry),
            Err(why) => reading.skip(line, why),
        }
    });
    reading
}

/// Reads every record as a `T` and gives it to `each` with its line; one that is none is skipped.
pub(super) fn records<T: DeserializeOwned>(
    bytes: &[u8],
    source: &Source<'_>,
    reading: &mut Reading,
    mut each: impl FnMut(u64, T, &mut Reading),
) {
    raw_records(bytes, source, reading, |line, json, reading| match serde_json::from_slice(json) {
        Ok(record) => each(line, record, reading),
        Err(error) => reading.skip(line, lines::complaint(&error)),
    });
}

/// Gives every record to `each` as JSON.
pub(super) fn raw_records(
    bytes: &[u8],
    source: &Source<'_>,
    reading: &mut Reading,
    mut each: impl FnMut(u64, &[u8], &mut Reading),
) {
    match layout(&bytes[..bytes.len().min(HEAD_BYTES)]) {
        Layout::Lines => {
            for (line, json) in lines::numbered(bytes) {
                each(source.lines_before + line, json, reading);
            }
        }
        Layout::Whole => pages(bytes, reading, each),
        Layout::Table => table(bytes, source, reading, each),
    }
}

/// Gives every record of lists and pages to `each` as JSON.
pub(super) fn pages(
    bytes: &[u8],
    reading: &mut Reading,
    mut each: impl FnMut(u64, &[u8], &mut Reading),
) {
    let mut all = Elements { bytes, counted: (0, 1), reading, each: &mut each };
    let mut json = serde_json::Deserializer::from_slice(start(bytes));
    // Usually one value; pages may follow each other.
    while json.end().is_err() {
        if let Err(error) = all.deserialize(&mut json) {
            all.reading.skip(error.line() as u64, lines::complaint(&error));
            break;
        }
    }
}

fn table(
    bytes: &[u8],
    source: &Source<'_>,
    reading: &mut Reading,
    mut each: impl FnMut(u64, &[u8], &mut Reading),
) {
    let columns = header(bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let records = csv::Records::new(start(bytes), csv::delimiter(line), 1);
    let mut object = String::new();
    for csv::Record { line, cells, is_open } in records.skip(1) {
        let line = line + source.lines_before;
        let (has, wants) = (cells.len(), columns.len());
        if is_open || has != wants {
            reading.skip(
                line,
                match is_open {
                    true => "a quote is opened and not closed".to_owned(),
                    false => format!("it has {has} cells where the header has {wants}"),
                },
            );
            continue;
        }
        object.clear();
        object.push('{');
        for (at, (column, cell)) in columns.iter().zip(&cells).enumerate() {
            // A second column of the same name would contradict the first.
            if !cell.is_empty() && !columns[..at].contains(column) {
                member(&mut object, column, cell);
            }
        }
        object.push('}');
        each(line, object.as_bytes(), reading);
    }
}

/// Writes a cell as a member: whole numbers as such, however many zeros a tool put behind them.
pub(super) fn member(object: &mut String, name: &str, cell: &str) {
    let comma = if object.len() == 1 { "" } else { "," };
    let whole = match cell.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => cell,
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    let name = crate::error::json_string(name);
    match is_whole {
        true => write!(object, "{comma}{name}:{whole}"),
        false => write!(object, "{comma}{name}:{}", crate::error::json_string(cell)),
    }
    .expect("a string takes everything");
}

/// The names of an object's members; of a list's or a page's, those of its first element.
#[derive(Default)]
struct Keys {
    names: Vec<String>,
    is_page: bool,
}

impl Keys {
    fn read(&mut self, json: &[u8]) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(json);
        NamesOf(self).deserialize(&mut json)
    }
}

struct NamesOf<'k>(&'k mut Keys);

impl<'de> DeserializeSeed<'de> for NamesOf<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NamesOf<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if PAGES.contains(&name.as_str()) && !self.0.is_page {
                let mut first = Keys::default();
                let value = map.next_value_seed(MaybeList(&mut first));
                if first.is_page {
                    *self.0 = first;
                }
                self.0.names.push(name);
                value?;
                continue;
            }
            self.0.names.push(name);
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.is_page = true;
        let mut first = Keys::default();
        let result = seq.next_element_seed(NamesOf(&mut first));
        self.0.names = first.names;
        result?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// The first element's names of a list of objects; anything else is passed over.
struct MaybeList<'k>(&'k mut Keys);

impl<'de> DeserializeSeed<'de> for MaybeList<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = <&RawValue>::deserialize(deserializer)?.get();
        if value.starts_with('[') {
            self.0.is_page = true;
            self.0.read(value.as_bytes()).unwrap_or(());
        }
        Ok(())
    }
}

/// Gives the elements of a list or a page to `each` as they come: of a file that breaks off, all
/// that came before is read.
struct Elements<'r, E> {
    bytes: &'r [u8],
    /// The line of a position.
    counted: (usize, u64),
    reading: &'r mut Reading,
    each: &'r mut E,
}

impl<E: FnMut(u64, &[u8], &mut Reading)> Elements<'_, E> {
    fn element(&mut self, value: &RawValue) {
        let json = value.get().as_bytes();
        let at = (json.as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize);
        let (from, line) = self.counted;
        let between = self.bytes.get(from..at).unwrap_or_default();
        self.counted = (at.max(from), line + memchr::memchr_iter(b'\n', between).count() as u64);
        (self.each)(self.counted.1, json, self.reading);
    }
}

impl<'de, E: FnMut(u64, &[u8], &mut Reading)> DeserializeSeed<'de> for &mut Elements<'_, E> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: FnMut(u64, &[u8], &mut Reading)> Visitor<'de> for &mut Elements<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&RawValue>()? {
            self.element(value);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // A single record over several lines is written down again as it comes.
        let (mut record, mut is_page) = (String::from("{"), false);
        while let Some(name) = map.next_key::<String>()? {
            if PAGES.contains(&name.as_str()) {
                is_page |= map.next_value_seed(Page(&mut *self))?;
                continue;
            }
            let value = map.next_value::<&RawValue>()?;
            let comma = if record.len() == 1 { "" } else { "," };
            let name = crate::error::json_string(&name);
            write!(record, "{comma}{name}:{value}").expect("a string takes everything");
        }
        record.push('}');
        if !is_page {
            (self.each)(1, record.as_bytes(), self.reading);
        }
        Ok(())
    }
}

/// What stands under the name of a page: its records, if it is a list.
struct Page<'e, 'r, E>(&'e mut Elements<'r, E>);

impl<'de, E: FnMut(u64, &[u8], &mut Reading)> DeserializeSeed<'de> for Page<'_, '_, E> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: FnMut(u64, &[u8], &mut Reading)> Visitor<'de> for Page<'_, '_, E> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        self.0.visit_seq(seq).map(|()| true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_unit<E2>(self) -> Result<bool, E2> {
        Ok(false)
    }

    fn visit_bool<E2>(self, _: bool) -> Result<bool, E2> {
        Ok(false)
    }

    fn visit_u64<E2>(self, _: u64) -> Result<bool, E2> {
        Ok(false)
    }

    fn visit_i64<E2>(self, _: i64) -> Result<bool, E2> {
        Ok(false)
    }

    fn visit_f64<E2>(self, _: f64) -> Result<bool, E2> {
        Ok(false)
    }

    fn visit_str<E2>(self, _: &str) -> Result<bool, E2> {
        Ok(false)
    }
}
