//! Files that turn out to be broken while they are read.
//!
//! Readers name segments; the keeper reads each from end to end, writes what can still be read into a
//! segment of its own, and sets the broken file aside. A file that reads well after all stays.
//!
//! The database is the writer's: it is told, and does with it what it does when a write fails.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use bytes::Bytes;
use parquet::errors::Result;

use crate::blob::{self, Torn};
use crate::chains::Chains;
use crate::directory::{Unfinished, set_aside};
use crate::draft::Drafts;
use crate::error::{StoreError, io_error, parquet_error};
use crate::seal::{forget, next_number, register};
use crate::segment::{Info, SegmentFile, SegmentWriter};
use crate::store::Shared;

/// What somebody could not read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(Arc<Suspected>);

#[derive(Debug, Default)]
struct Suspected {
    /// The names of segments.
    segments: Mutex<BTreeSet<String>>,
    database: AtomicBool,
    /// Who looks through the database. Nobody beside a reader of another process.
    writer: OnceLock<Thread>,
}

impl Suspects {
    /// Notes that a segment could not be read.
    pub(crate) fn note(&self, name: &str) {
        self.segments().insert(name.to_owned());
    }

    /// Wakes the writer if an error says that the database is broken.
    pub(crate) fn note_error(&self, error: &StoreError) {
        if error.is_corrupt() {
            self.note_database();
        }
    }

    /// The same of a record that is not there for such an error.
    pub(crate) fn note_torn(&self, error: &Torn) {
        if *error == Torn::Page {
            self.note_database();
        }
    }

    fn note_database(&self) {
        self.0.database.store(true, Ordering::Release);
        if let Some(writer) = self.0.writer.get() {
            writer.unpark();
        }
    }

    pub(crate) fn has_database(&self) -> bool {
        self.0.database.load(Ordering::Acquire)
    }

    pub(crate) fn clear_database(&self) {
        self.0.database.store(false, Ordering::Release);
    }

    /// Says who looks through the database.
    pub(crate) fn tell(&self, writer: Thread) {
        self.0.writer.set(writer).expect("a store has one writer");
    }

    fn clear(&self, name: &str) {
        self.segments().remove(name);
    }

    fn names(&self) -> BTreeSet<String> {
        self.segments().clone()
    }

    fn segments(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at every segment that a reader stumbled over. One that could not be looked at stays a
/// suspect, and does not keep the others from being looked at.
pub(crate) fn mend(shared: &Shared) -> std::result::Result<(), StoreError> {
    // Before the names are read: whoever comes second waits until the first is done.
    let _files = shared.files();
    let mut result = Ok(());
    for name in shared.suspects.names() {
        match mend_one(shared, &name) {
            Ok(()) => shared.suspects.clear(&name),
            Err(error) => result = Err(error),
        }
    }
    result
}

fn mend_one(shared: &Shared, name: &str) -> std::result::Result<(), StoreError> {
    let path = shared.directory.segment(name);
    // As a whole, so that what the disk refuses is not taken for damage to the file.
    let bytes = match fs::read(&path) {
        Ok(bytes) => Bytes::from(bytes),
        // It was dropped for its age, or mended, meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(&path)(error)),
    };
    let number = next_number(&shared.directory)?;
    let mut file = Unfinished::new(shared.directory.segment(&format!("calls-{number:08}.parquet")));
    let rescued = rescue(bytes, file.path(), &shared.name, number);
    let rest = match rescued.map_err(parquet_error(file.path()))? {
        Rescued::All => return Ok(()),
        Rescued::Some(info) => Some(info),
        Rescued::Nothing => None,
    };
    // The broken file first: after a crash in between, what it holds is in a file that was set
    // aside. The other way round its calls would be there twice.
    let aside = set_aside(&path).map_err(io_error(&path))?;
    shared.status().corrupt_files.push(aside.display().to_string());
    if let Some(info) = rest {
        file.rename()?;
        let registered = register(&mut shared.db(), file.path(), &info);
        // If that failed the next start takes it in: nothing else holds its calls.
        file.keep();
        registered?;
    }
    forget(&mut shared.db(), name)
}

enum Rescued {
    All,
    Some(Info),
    Nothing,
}

/// Copies every record that can be read. An error is one of writing.
fn rescue(from: Bytes, to: &Path, store: &str, number: u64) -> Result<Rescued> {
    let opened = SegmentFile::in_memory(from).ok();
    let known = opened.as_ref().and_then(SegmentFile::info).unwrap_or_default();
    let info = Info {
        store: store.to_owned(),
        number,
        first_seq: known.first_seq,
        last_seq: known.last_seq,
        ..Info::default()
    };
    let mut writer = SegmentWriter::create(to, info)?;
    let (mut chains, mut seq) = (Chains::default(), 0);
    let mut is_whole = opened.is_some();
    for (file, group) in opened.iter().flat_map(|file| (0..file.groups()).map(move |g| (file, g))) {
        // Its other columns count too: lists and scans read these.
        let columns = file.ids(group).and(file.arrivals(group)).and(file.successes(group));
        let texts = file.texts(group, "model").and(file.texts(group, "operation"));
        is_whole &= columns.is_ok() && texts.is_ok();
        let Ok(mut records) = file.records(group) else {
            is_whole = false;
            continue;
        };
        for row in 0..records.len() {
            let Ok(record) = records.record(row) else {
                is_whole = false;
                continue;
            };
            let base = Drafts::of(&record).iter().find_map(|draft| chains.base(&draft, seq));
            let bytes = blob::write(&record, base, Vec::new());
            // One that is refused has its number too: the chains know its prompt by that.
            match writer.push(seq, &bytes, || Ok(record))? {
                Ok(()) | Err(_) => seq += 1,
            }
        }
    }
    let info = writer.finish()?;
    Ok(match (is_whole, info.calls) {
        (true, _) => Rescued::All,
        (false, 0) => Rescued::Nothing,
        (false, _) => Rescued::Some(info),
    })
}
