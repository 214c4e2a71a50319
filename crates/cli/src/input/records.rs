//! The gateway's own records: a folder among others that hold logs.

use std::path::{Path, PathBuf};

use scrimp_core::{Entry, Time};
use scrimp_store::{Reader, ScanError};

/// Parts of the records that cannot be read and are each told about; of the others, how many.
const MOST_NOTED: usize = 5;

/// Whether `folder` is the data directory of a gateway.
pub(crate) fn is_data(folder: &Path) -> bool {
    folder.join("scrimp.db").is_file()
}

/// Gives every call to `each`. Returns what could not be read, in sentences; the error says why
/// nothing could.
pub(super) fn read(data: &Path, each: &mut dyn FnMut(Entry)) -> Result<Vec<String>, String> {
    let records = Reader::open(data).map_err(|error| error.to_string())?;
    let mut unread = Vec::new();
    for record in records.scan(Time::EPOCH, Time::NEVER) {
        match record {
            Ok(record) => each(Entry { record, trail: None }),
            Err(error) => unread.push(error),
        }
    }
    let mut notes = not_read(&unread);
    notes.extend(set_aside(&records.set_aside().map_err(|error| error.to_string())?));
    Ok(notes)
}

/// What of the records cannot be read, in sentences.
pub(crate) fn not_read(errors: &[ScanError]) -> Vec<String> {
    let first = errors.iter().take(MOST_NOTED);
    let mut notes: Vec<String> = first.map(|error| format!("calls are missing: {error}")).collect();
    let more = errors.len().saturating_sub(MOST_NOTED);
    if 0 < more {
        notes.push(format!("calls are missing: {more} more parts of the records cannot be read"));
    }
    notes
}

/// Says so where damaged files were set aside, because then calls may be missing.
pub(crate) fn set_aside(files: &[PathBuf]) -> Option<String> {
    let name = files.first()?.file_name()?.to_string_lossy();
    Some(match files.len() {
        1 => format!("calls may be missing: a damaged file was set aside as {name}"),
        count => {
            format!(
                "calls may be missing: {count} damaged files were set aside, the first as {name}"
            )
        }
    })
}
