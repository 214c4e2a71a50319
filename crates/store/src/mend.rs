//! Segments that turn out to be broken while they are read.
//!
//! Readers name them; the keeper reads each from end to end, writes what can still be read into a
//! segment of its own, and sets the broken file aside. A file that reads well after all stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::Result;

use crate::blob;
use crate::chains::Chains;
use crate::directory::{appended, set_aside, sync_directory};
use crate::error::{StoreError, io_error, parquet_error};
use crate::seal::{forget, next_number, register};
use crate::segment::{Info, SegmentFile, SegmentWriter};
use crate::store::Shared;

/// The names of segments that somebody could not read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(Arc<Mutex<BTreeSet<String>>>);

impl Suspects {
    /// Notes that a segment could not be read.
    pub(crate) fn note(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks at every segment that a reader stumbled over.
pub(crate) fn mend(shared: &Shared) -> std::result::Result<(), StoreError> {
    // Before the names are taken: whoever comes second waits until the first is done.
    let _files = shared.files();
    for name in shared.suspects.take() {
        let path = shared.directory.segment(&name);
        // It may have been dropped for its age, or mended, meanwhile.
        if path.exists() {
            mend_one(shared, &path, &name)?;
        }
    }
    Ok(())
}

fn mend_one(shared: &Shared, path: &Path, name: &str) -> std::result::Result<(), StoreError> {
    let number = next_number(&shared.directory)?;
    let whole = shared.directory.segment(&format!("calls-{number:08}.parquet"));
    let unfinished = appended(&whole, ".new");
    let rest = match rescue(path, &unfinished, &shared.name, number) {
        Ok(Rescued::All) => {
            return fs::remove_file(&unfinished).map_err(io_error(&unfinished));
        }
        Ok(Rescued::Some(info)) => Some(info),
        Ok(Rescued::Nothing) => None,
        Err(error) => return Err(parquet_error(&unfinished)(error)),
    };
    // The broken file first: after a crash in between, what it holds is in a file that was set
    // aside. The other way round its calls would be there twice.
    let aside = set_aside(path).map_err(io_error(path))?;
    shared.status().corrupt_files.push(aside.display().to_string());
    match rest {
        None => fs::remove_file(&unfinished).map_err(io_error(&unfinished))?,
        Some(info) => {
            fs::rename(&unfinished, &whole).map_err(io_error(&whole))?;
            sync_directory(&whole).map_err(io_error(&whole))?;
            register(&mut shared.db(), &whole, &info)?;
        }
    }
    forget(&mut shared.db(), name)
}

enum Rescued {
    All,
    Some(Info),
    Nothing,
}

/// Copies every record that can be read. An error is one of writing.
fn rescue(from: &Path, to: &Path, store: &str, number: u64) -> Result<Rescued> {
    let opened = SegmentFile::open(from).ok();
    let known = opened.as_ref().and_then(SegmentFile::info).unwrap_or_default();
    let info = Info {
        store: store.to_owned(),
        number,
        first_seq: known.first_seq,
        last_seq: known.last_seq,
        ..Info::default()
    };
    let mut writer = SegmentWriter::create(to, info)?;
    let (mut chains, mut copied) = (Chains::default(), 0);
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
            let base = chains.base(&record.call, copied);
            let bytes = blob::write(&record, base, Vec::new());
            let added = writer.push(copied, &bytes, || Ok(record))?;
            copied += u64::from(added.is_ok());
        }
    }
    let info = writer.finish()?;
    Ok(match (is_whole, copied) {
        (true, _) => Rescued::All,
        (false, 0) => Rescued::Nothing,
        (false, _) => Rescued::Some(info),
    })
}
