//! Scrimp's own records as JSON lines, as `scrimp` writes them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use scrimp_core::record::RECORD_VERSION;
use scrimp_core::{Entry, Record};

use super::{Clock, Import, Reading, Repeats, Source, lines, rows};

pub(super) const FORMAT: Import = Import {
    name: "scrimp",
    what: "Scrimp's own records, one JSON object a line",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &[],
    pieces: rows::by_line,
    fits,
    read,
};

/// What tells a record from other objects.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only their presence counts")]
struct Shape {
    call: IgnoredAny,
    ending: IgnoredAny,
    metering: IgnoredAny,
    timing: IgnoredAny,
}

/// The version of a record's shape, where the line gives it.
#[derive(Deserialize)]
struct Version {
    version: u16,
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    lines::any::<Shape>(bytes, "`call`, `ending`, `metering` and `timing`", |_| true)
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    for (number, line) in lines::numbered(bytes) {
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => reading.entries.push(Entry { record, trail: None }),
            Err(error) => reading.skip(source.lines_before + number, why_not(line, &error)),
        }
    }
    reading
}

fn why_not(line: &[u8], error: &serde_json::Error) -> String {
    match serde_json::from_slice(line) {
        Ok(Version { version }) if RECORD_VERSION < version => {
            format!("a record of version {version}; this program knows up to {RECORD_VERSION}")
        }
        _ => lines::complaint(error),
    }
}
