//! Writes one segment, a row group at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use scrimp_core::{CallId, Record};

use super::columns::{Columns, SCHEMA, UNIQUE};
use super::{GROUP_BYTES, GROUP_ROWS, INFO_KEY, Info, MOST_LABELS};
use crate::blob;
use crate::chains::Chains;

/// Writes records in order of their arrival.
pub(crate) struct SegmentWriter {
    file: SerializedFileWriter<File>,
    columns: Columns,
    /// The ids of the row group's rows.
    ids: Vec<CallId>,
    bytes: usize,
    chains: Chains,
    info: Info,
    labels: BTreeMap<(Arc<str>, Arc<str>), (u64, u64)>,
}

impl SegmentWriter {
    /// Begins a file. `info` says which store, number and sequence numbers.
    pub(crate) fn create(path: &Path, info: Info) -> Result<SegmentWriter> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("scrimp ", env!("CARGO_PKG_VERSION")).to_owned());
        // Values of these hardly ever repeat: looking each up costs more than it saves.
        let unique = UNIQUE.iter().fold(properties, |properties, column| {
            let path = ColumnPath::new(column.split('.').map(str::to_owned).collect());
            properties.set_column_dictionary_enabled(path, false)
        });
        // What rows are looked up by; the least and the most of the others help nobody.
        let properties = ["id", "arrived"].into_iter().fold(unique, |properties, column| {
            let path = ColumnPath::from(column);
            properties.set_column_statistics_enabled(path, EnabledStatistics::Chunk)
        });
        let properties = properties.build();
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let file = File::create(path)?;
        Ok(SegmentWriter {
            file: SerializedFileWriter::new(file, schema, Arc::new(properties))?,
            columns: Columns::default(),
            ids: Vec::new(),
            bytes: 0,
            chains: Chains::default(),
            info,
            labels: BTreeMap::new(),
        })
    }

    /// Adds the next record.
    pub(crate) fn push(&mut self, record: &Record) -> Result<()> {
        let row = self.ids.len();
        let base = self.chains.base(&record.call, row as u64);
        let blob = blob::write(record, base, Vec::new());
        self.bytes += blob.len();
        let named = base.and_then(|base| {
            let id = usize::try_from(base.row).ok().and_then(|row| self.ids.get(row))?;
            Some((base, *id))
        });
        self.columns.push(record, named, blob);
        self.ids.push(record.call.id);
        self.note(record);
        match GROUP_ROWS <= self.ids.len() || GROUP_BYTES <= self.bytes {
            true => self.end_group(),
            false => Ok(()),
        }
    }

    /// Ends the file and brings it to the disk.
    pub(crate) fn finish(mut self) -> Result<Info> {
        self.end_group()?;
        if self.labels.len() <= MOST_LABELS {
            let labels = std::mem::take(&mut self.labels).into_iter();
            self.info.labels = labels
                .map(|((model, operation), (calls, failures))| {
                    (model.to_string(), operation.to_string(), calls, failures)
                })
                .collect();
        }
        let text = serde_json::to_string(&self.info).expect("plain data");
        self.file.append_key_value_metadata(KeyValue::new(INFO_KEY.to_owned(), text));
        let file = self.file.into_inner()?;
        file.sync_all()?;
        Ok(self.info)
    }

    fn note(&mut self, record: &Record) {
        let info = &mut self.info;
        let (id, arrived) = (record.call.id.to_string(), record.call.arrived.nanos());
        if info.calls == 0 {
            (info.min_id, info.min_arrived, info.max_arrived) = (id.clone(), arrived, arrived);
        }
        info.calls += 1;
        info.min_arrived = info.min_arrived.min(arrived);
        info.max_arrived = info.max_arrived.max(arrived);
        if id < info.min_id {
            info.min_id.clone_from(&id);
        }
        if info.max_id < id {
            info.max_id = id;
        }
        // One more than is listed says that there are too many.
        let key = (record.call.model.clone(), record.call.operation.clone());
        if self.labels.len() <= MOST_LABELS || self.labels.contains_key(&key) {
            let (calls, failures) = self.labels.entry(key).or_default();
            *calls += 1;
            *failures += u64::from(!record.is_success());
        }
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
        self.ids.clear();
        self.bytes = 0;
        self.chains.clear();
        Ok(())
    }
}
