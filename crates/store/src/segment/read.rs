//! Reads segments: what they say of themselves, single columns, and records.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use scrimp_core::{CallId, Record};

use super::chunk::Chunk;
use super::{INFO_KEY, Info};
use crate::blob::{self, Torn};
use crate::resolve::{Prompts, Rows};

/// An open segment.
pub(crate) struct SegmentFile {
    metadata: Arc<ParquetMetaData>,
    source: Source,
}

enum Source {
    File(File),
    Memory(Bytes),
}

/// The records of one row group.
pub(crate) struct Group {
    blobs: Blobs,
    prompts: Prompts,
}

/// The bytes of a row group's records. What was not read with all others is read with the page that
/// it is in, when it is asked for.
struct Blobs {
    chunk: Chunk,
    pages: Vec<PageOfBlobs>,
}

#[derive(Debug, Default)]
struct PageOfBlobs {
    first: usize,
    rows: usize,
    /// Empty as long as nobody asked for one.
    blobs: Vec<ByteArray>,
}

impl SegmentFile {
    /// Opens a file and reads its footer.
    pub(crate) fn open(path: &Path) -> Result<SegmentFile> {
        let file = File::open(path)?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        Ok(SegmentFile { metadata: Arc::new(metadata), source: Source::File(file) })
    }

    /// The same of a file that was read as a whole: what goes wrong from here on is in the file.
    pub(crate) fn in_memory(bytes: Bytes) -> Result<SegmentFile> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes)?;
        Ok(SegmentFile { metadata: Arc::new(metadata), source: Source::Memory(bytes) })
    }

    /// What the file says that it is; `None` if it was not written by a store.
    pub(crate) fn info(&self) -> Option<Info> {
        let metadata = self.metadata.file_metadata().key_value_metadata()?;
        let text = metadata.iter().find(|pair| pair.key == INFO_KEY)?.value.as_deref()?;
        serde_json::from_str(text).ok()
    }

    /// How many row groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// The smallest and largest id of a row group; everything where that is not known.
    pub(crate) fn ids_between(&self, group: usize) -> (CallId, CallId) {
        let bound = |bytes: Option<&[u8]>, otherwise| {
            let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            CallId(bytes.map_or(otherwise, u128::from_be_bytes))
        };
        let statistics = self.statistics(group, "id");
        let least = bound(statistics.and_then(|s| s.min_bytes_opt()), 0);
        (least, bound(statistics.and_then(|s| s.max_bytes_opt()), u128::MAX))
    }

    /// The ids of a row group.
    pub(crate) fn ids(&self, group: usize) -> Result<Vec<CallId>> {
        let values = self.chunk(group, "id")?.values::<FixedLenByteArrayType>()?;
        values.iter().map(id_of).collect()
    }

    /// The ids of some rows, in order.
    pub(crate) fn ids_of(&self, group: usize, rows: &[usize]) -> Result<Vec<CallId>> {
        let values = self.chunk(group, "id")?.values_of::<FixedLenByteArrayType>(rows)?;
        values.iter().map(id_of).collect()
    }

    /// How many rows a row group has.
    pub(crate) fn rows(&self, group: usize) -> Result<usize> {
        self.metadata.row_group_num_rows(group)
    }

    /// When the calls of a row group arrived, in microseconds.
    pub(crate) fn arrivals(&self, group: usize) -> Result<Vec<i64>> {
        self.chunk(group, "arrived")?.values::<Int64Type>()
    }

    /// Which calls of a row group succeeded.
    pub(crate) fn successes(&self, group: usize) -> Result<Vec<bool>> {
        self.chunk(group, "success")?.values::<BoolType>()
    }

    /// A text column of a row group.
    pub(crate) fn texts(&self, group: usize, name: &'static str) -> Result<Vec<ByteArray>> {
        self.chunk(group, name)?.values::<ByteArrayType>()
    }

    /// Which of these rows of a row group, in order, are calls without success.
    pub(crate) fn failures(&self, group: usize, rows: Vec<usize>) -> Result<Vec<usize>> {
        let statistics = self.statistics(group, "success");
        if statistics.and_then(|statistics| statistics.min_bytes_opt()) == Some(&[1]) {
            return Ok(Vec::new());
        }
        let successes = self.chunk(group, "success")?.values_of::<BoolType>(&rows)?;
        Ok(rows.into_iter().zip(successes).filter_map(|(row, ok)| (!ok).then_some(row)).collect())
    }

    /// Which of these rows of a row group, in order, have a text in a column. Most row groups do not
    /// know a rare text at all: that costs the column's words and not its rows.
    pub(crate) fn with_text(
        &self,
        group: usize,
        name: &'static str,
        wanted: &str,
        rows: Vec<usize>,
    ) -> Result<Vec<usize>> {
        let wanted = wanted.as_bytes();
        let statistics = self.statistics(group, name);
        let least = statistics.and_then(|statistics| statistics.min_bytes_opt());
        let most = statistics.and_then(|statistics| statistics.max_bytes_opt());
        if least.is_some_and(|least| wanted < least) || most.is_some_and(|most| most < wanted) {
            return Ok(Vec::new());
        }
        let chunk = self.chunk(group, name)?;
        if chunk.words()?.is_some_and(|words| !words.iter().any(|word| word == wanted)) {
            return Ok(Vec::new());
        }
        let texts = chunk.values_of::<ByteArrayType>(&rows)?;
        let found = rows.into_iter().zip(texts);
        Ok(found.filter_map(|(row, text)| (text.data() == wanted).then_some(row)).collect())
    }

    /// The records in some rows of a row group, in order, without their prompts.
    pub(crate) fn without_prompts(
        &self,
        group: usize,
        rows: &[usize],
    ) -> Vec<std::result::Result<Record, Torn>> {
        if rows.is_empty() {
            return Vec::new();
        }
        let chunk = self.chunk(group, "record");
        match chunk.and_then(|chunk| chunk.values_of::<ByteArrayType>(rows)) {
            Ok(blobs) => blobs.iter().map(|blob| blob::read_without_prompt(blob.data())).collect(),
            Err(error) => vec![Err(Torn::Unread(error.to_string()))],
        }
    }

    /// The records of a row group, all read and not decoded yet.
    pub(crate) fn records(&self, group: usize) -> Result<Group> {
        let chunk = self.chunk(group, "record")?;
        let blobs = chunk.values::<ByteArrayType>()?;
        let pages = vec![PageOfBlobs { first: 0, rows: blobs.len(), blobs }];
        Ok(Group { blobs: Blobs { chunk, pages }, prompts: Prompts::default() })
    }

    /// The same for few of them: a page is read when a record in it is asked for, or one that
    /// continues a record in it.
    pub(crate) fn some_records(&self, group: usize) -> Result<Group> {
        let chunk = self.chunk(group, "record")?;
        let pages = chunk.pages()?.into_iter();
        let pages = pages.map(|Range { start, end }| PageOfBlobs {
            first: start,
            rows: end - start,
            blobs: Vec::new(),
        });
        let pages = pages.collect();
        Ok(Group { blobs: Blobs { chunk, pages }, prompts: Prompts::default() })
    }

    fn column(&self, name: &'static str) -> Option<usize> {
        let schema = self.metadata.file_metadata().schema_descr();
        schema.columns().iter().position(|column| column.path().parts() == [name])
    }

    fn statistics(&self, group: usize, name: &'static str) -> Option<&Statistics> {
        self.metadata.row_group(group).column(self.column(name)?).statistics()
    }

    fn chunk(&self, group: usize, name: &'static str) -> Result<Chunk> {
        let column = self
            .column(name)
            .ok_or_else(|| ParquetError::General(format!("there is no column `{name}`")))?;
        let (start, length) = self.metadata.row_group(group).column(column).byte_range();
        let bytes = self.source.bytes(start, length)?;
        Ok(Chunk::new(self.metadata.clone(), group, column, name, bytes))
    }
}

impl Source {
    fn bytes(&self, start: u64, length: u64) -> Result<Bytes> {
        let all = match self {
            Source::File(file) => file.len(),
            Source::Memory(bytes) => bytes.len() as u64,
        };
        // Before there is room made for it.
        if start.checked_add(length).is_none_or(|end| all < end) {
            return Err(ParquetError::EOF("a column ends after its file".to_owned()));
        }
        let length = usize::try_from(length)?;
        match self {
            Source::File(file) => file.get_bytes(start, length),
            Source::Memory(bytes) => bytes.get_bytes(start, length),
        }
    }
}

fn id_of(value: &FixedLenByteArray) -> Result<CallId> {
    match <[u8; 16]>::try_from(value.data()) {
        Ok(bytes) => Ok(CallId(u128::from_be_bytes(bytes))),
        Err(_) => Err(ParquetError::General("an id has another length".to_owned())),
    }
}

impl Rows for Blobs {
    fn blob(&mut self, row: u64) -> std::result::Result<Option<Bytes>, Torn> {
        let Ok(row) = usize::try_from(row) else { return Ok(None) };
        let at = self.pages.partition_point(|page| page.first + page.rows <= row);
        let Some(page) = self.pages.get_mut(at) else { return Ok(None) };
        if page.blobs.is_empty() {
            let read =
                self.chunk.values_between::<ByteArrayType>(page.first..page.first + page.rows);
            page.blobs = read.map_err(|error| Torn::Unread(error.to_string()))?;
        }
        let blob = page.blobs.get(row - page.first);
        Ok(blob.map(|blob| Bytes::copy_from_slice(blob.data())))
    }
}

impl Group {
    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.blobs.pages.last().map_or(0, |page| page.first + page.rows)
    }

    /// The record in a row.
    pub(crate) fn record(&mut self, row: usize) -> std::result::Result<Record, Torn> {
        self.prompts.record(row as u64, &mut self.blobs)
    }
}
