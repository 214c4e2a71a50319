//! Writes one segment, a row group at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use rustc_hash::FxHashMap;
use scrimp_core::{CallId, Record};

use super::columns::{Columns, PACKED, RANDOM, SCHEMA, SQUEEZED};
use super::labels::Labels;
use super::{GROUP_BYTES, GROUP_ROWS, INFO_KEY, Info, PAGE_BYTES};
use crate::blob::{self, Base, Torn};
use crate::view::{CallView, View};

/// Writes records in order of their arrival.
pub(crate) struct SegmentWriter {
    file: SerializedFileWriter<File>,
    columns: Columns,
    /// The place of the row group that is being filled.
    group: usize,
    /// The ids of its rows.
    ids: Vec<CallId>,
    /// The bytes of their records, together.
    bytes: usize,
    /// Room for one record.
    record: Vec<u8>,
    /// The same by sequence number.
    rows: FxHashMap<u64, u64>,
    /// Rows that begin as others do which are not in this row group, by these.
    stand_ins: FxHashMap<u64, Base>,
    info: Info,
    labels: Labels,
    /// The least and the greatest id.
    between: (CallId, CallId),
}

impl SegmentWriter {
    /// Begins a file. `info` says which store, number and sequence numbers.
    pub(crate) fn create(path: &Path, info: Info) -> Result<SegmentWriter> {
        let properties = properties()?;
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let file = File::create(path)?;
        Ok(SegmentWriter {
            file: SerializedFileWriter::new(file, schema, Arc::new(properties))?,
            columns: Columns::default(),
            group: 0,
            ids: Vec::new(),
            bytes: 0,
            record: Vec::new(),
            rows: FxHashMap::default(),
            stand_ins: FxHashMap::default(),
            info,
            labels: Labels::default(),
            between: (CallId(0), CallId(0)),
        })
    }

    /// Adds the next record, which has a sequence number and these bytes. If its prompt begins with a
    /// row that is not in this row group, `whole` is asked for all of it. The inner error says that
    /// the record cannot be read and is left out.
    pub(crate) fn push(
        &mut self,
        seq: u64,
        blob: &[u8],
        whole: impl FnOnce() -> std::result::Result<Record, Torn>,
    ) -> Result<std::result::Result<(), Torn>> {
        match self.add(seq, blob, whole) {
            Err(torn) => Ok(Err(torn)),
            Ok(()) if GROUP_ROWS <= self.ids.len() || GROUP_BYTES <= self.bytes => {
                self.end_group().map(Ok)
            }
            Ok(()) => Ok(Ok(())),
        }
    }

    fn add(
        &mut self,
        seq: u64,
        blob: &[u8],
        whole: impl FnOnce() -> std::result::Result<Record, Torn>,
    ) -> std::result::Result<(), Torn> {
        let (blob::Start { base, .. }, _) = blob::split(blob)?;
        let moved = base.map(|base| self.moved(base));
        let base = moved.and_then(|(_, base)| base);
        self.record.clear();
        match moved {
            Some((_, None)) => {
                self.record = blob::write(&whole()?, None, std::mem::take(&mut self.record));
            }
            Some((_, Some(_))) | None => blob::rebase(blob, base, &mut self.record)?,
        }
        let (blob::Start { version, .. }, rest) = blob::split(&self.record)?;
        let view = View::read(version, rest)?;
        let named = base.and_then(|base| self.ids.get(usize::try_from(base.row).ok()?).copied());
        self.bytes += self.record.len();
        self.columns.push(&view, base, named, &self.record);
        let row = self.ids.len() as u64;
        self.rows.insert(seq, row);
        if let Some((missing, None)) = moved {
            self.stand_ins.insert(missing.row, Base { row, ..missing });
        }
        self.ids.push(view.call.id);
        note(&mut self.info, &mut self.between, &view);
        let CallView { model, operation, .. } = view.call;
        self.labels.count(model, operation, view.is_success(), self.group);
        Ok(())
    }

    /// A base and where it is in this row group, if it is.
    fn moved(&self, base: Base) -> (Base, Option<Base>) {
        let row = self.rows.get(&base.row).copied();
        let stand_in = || self.stand_ins.get(&base.row).filter(|other| base.shared <= other.shared);
        let row = row.or_else(|| Some(stand_in()?.row));
        (base, row.map(|row| Base { row, ..base }))
    }

    /// Ends the file and brings it to the disk.
    pub(crate) fn finish(mut self) -> Result<Info> {
        self.end_group()?;
        self.labels.list(&mut self.info);
        (self.info.min_id, self.info.max_id) =
            (self.between.0.to_string(), self.between.1.to_string());
        let text = serde_json::to_string(&self.info).expect("plain data");
        self.file.append_key_value_metadata(KeyValue::new(INFO_KEY.to_owned(), text));
        let file = self.file.into_inner()?;
        file.sync_all()?;
        Ok(self.info)
    }

    fn end_group(&mut self) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = group.next_column()? {
            self.columns.write(at, column.untyped())?;
            column.close()?;
            at += 1;
        }
        group.close()?;
        self.group += 1;
        self.ids.clear();
        self.bytes = 0;
        self.rows.clear();
        self.stand_ins.clear();
        Ok(())
    }
}

fn note(info: &mut Info, between: &mut (CallId, CallId), view: &View<'_>) {
    let (id, arrived) = (view.call.id, view.call.arrived.nanos());
    if info.calls == 0 {
        (*between, info.min_arrived, info.max_arrived) = ((id, id), arrived, arrived);
    }
    info.calls += 1;
    info.min_arrived = info.min_arrived.min(arrived);
    info.max_arrived = info.max_arrived.max(arrived);
    *between = (between.0.min(id), between.1.max(id));
}

/// How columns are written: numbers packed, words by dictionary, and only the rest compressed. A
/// compressor takes memory and time for each column of each row group, more than it saves on these.
fn properties() -> Result<WriterProperties> {
    let record = ColumnPath::from("record");
    let mut properties = WriterProperties::builder()
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // A page is in memory twice while it is compressed.
        .set_data_page_size_limit(PAGE_BYTES)
        // Nobody compares them.
        .set_column_statistics_enabled(record, EnabledStatistics::None)
        .set_created_by(concat!("scrimp ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in PACKED {
        let column = path(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for name in RANDOM {
        properties = properties.set_column_dictionary_enabled(path(name), false);
    }
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1)?);
    for name in SQUEEZED {
        properties = properties.set_column_compression(path(name), zstd);
    }
    Ok(properties.build())
}

fn path(name: &str) -> ColumnPath {
    ColumnPath::new(name.split('.').map(str::to_owned).collect())
}
