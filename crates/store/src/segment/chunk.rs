//! One column of one row group: its values, some of them, its words.
//!
//! The bytes of the column are read at once: a page of it is often wanted alone, and a system call
//! for the head of each page before it costs more than the few bytes that nobody needs.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes, buf};
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageReader};
use parquet::column::reader::{
    ColumnReader, ColumnReaderImpl, get_column_reader, get_typed_column_reader,
};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

/// A required column of a row group.
pub(super) struct Chunk {
    metadata: Arc<ParquetMetaData>,
    group: usize,
    column: usize,
    name: &'static str,
    bytes: Arc<InFile>,
}

/// Bytes by their place in the file that they are from.
struct InFile {
    start: u64,
    bytes: Bytes,
}

impl Chunk {
    /// `bytes` are those of the column in this row group.
    pub(super) fn new(
        metadata: Arc<ParquetMetaData>,
        group: usize,
        column: usize,
        name: &'static str,
        bytes: Bytes,
    ) -> Chunk {
        let (start, _) = metadata.row_group(group).column(column).byte_range();
        Chunk { metadata, group, column, name, bytes: Arc::new(InFile { start, bytes }) }
    }

    /// All values.
    pub(super) fn values<T: DataType>(&self) -> Result<Vec<T::T>> {
        self.values_between::<T>(0..self.rows()?)
    }

    /// The values of rows that follow each other.
    pub(super) fn values_between<T: DataType>(&self, rows: Range<usize>) -> Result<Vec<T::T>> {
        let mut values = Vec::with_capacity(rows.len().min(super::GROUP_ROWS));
        let mut reader = self.open::<T>()?;
        self.skip(&mut reader, rows.start)?;
        self.read(&mut reader, rows.len(), &mut values)?;
        Ok(values)
    }

    /// The values of some rows, which are in order.
    pub(super) fn values_of<T: DataType>(&self, rows: &[usize]) -> Result<Vec<T::T>> {
        let mut values = Vec::with_capacity(rows.len());
        let mut reader = self.open::<T>()?;
        let mut at = 0;
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            self.skip(&mut reader, run[0] - at)?;
            self.read(&mut reader, run.len(), &mut values)?;
            at = run[0] + run.len();
        }
        Ok(values)
    }

    /// The texts that the column has, if all of its rows are places in a list of them.
    pub(super) fn words(&self) -> Result<Option<Vec<Bytes>>> {
        let encodings = self.chunk().page_encoding_stats_mask();
        if !encodings.is_some_and(|encodings| encodings.is_only(Encoding::RLE_DICTIONARY)) {
            return Ok(None);
        }
        match self.page_reader()?.get_next_page()? {
            Some(Page::DictionaryPage { buf, .. }) => Ok(words_of(buf)),
            Some(_) | None => Ok(None),
        }
    }

    /// The rows of each page.
    pub(super) fn pages(&self) -> Result<Vec<Range<usize>>> {
        let all = self.rows()?;
        let mut pages = Vec::new();
        let mut first = 0;
        let mut reader = self.page_reader()?;
        while first < all {
            let page = reader.peek_next_page()?.ok_or_else(|| self.breaks_off())?;
            if !page.is_dict {
                // A page that does not say how many rows it has is read with all that follow it.
                let rows = page.num_rows.or(page.num_levels).unwrap_or(all);
                let end = all.min(first.saturating_add(rows));
                pages.push(first..end);
                first = end;
            }
            reader.skip_next_page()?;
        }
        Ok(pages)
    }

    fn chunk(&self) -> &ColumnChunkMetaData {
        self.metadata.row_group(self.group).column(self.column)
    }

    fn rows(&self) -> Result<usize> {
        self.metadata.row_group_num_rows(self.group)
    }

    fn page_reader(&self) -> Result<SerializedPageReader<InFile>> {
        SerializedPageReader::new(self.bytes.clone(), self.chunk(), self.rows()?, None)
    }

    fn open<T: DataType>(&self) -> Result<ColumnReaderImpl<T>> {
        let pages = Box::new(self.page_reader()?);
        let reader = get_column_reader(self.chunk().column_descr_ptr(), pages);
        let is_of_type = matches!(
            (&reader, T::get_physical_type()),
            (ColumnReader::BoolColumnReader(_), Type::BOOLEAN)
                | (ColumnReader::Int64ColumnReader(_), Type::INT64)
                | (ColumnReader::ByteArrayColumnReader(_), Type::BYTE_ARRAY)
                | (ColumnReader::FixedLenByteArrayColumnReader(_), Type::FIXED_LEN_BYTE_ARRAY)
        );
        match is_of_type {
            true => Ok(get_typed_column_reader::<T>(reader)),
            false => Err(ParquetError::General(format!("column `{}` has another type", self.name))),
        }
    }

    fn skip<T: DataType>(&self, reader: &mut ColumnReaderImpl<T>, rows: usize) -> Result<()> {
        match reader.skip_records(rows)? == rows {
            true => Ok(()),
            false => Err(self.breaks_off()),
        }
    }

    fn read<T: DataType>(
        &self,
        reader: &mut ColumnReaderImpl<T>,
        rows: usize,
        values: &mut Vec<T::T>,
    ) -> Result<()> {
        let end = values.len() + rows;
        while values.len() < end {
            let (read, _, _) = reader.read_records(end - values.len(), None, None, values)?;
            if read == 0 {
                return Err(self.breaks_off());
            }
        }
        Ok(())
    }

    fn breaks_off(&self) -> ParquetError {
        ParquetError::General(format!("column `{}` breaks off", self.name))
    }
}

impl InFile {
    fn from(&self, start: u64) -> Result<Bytes> {
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| *at <= self.bytes.len());
        at.map(|at| self.bytes.slice(at..)).ok_or_else(after_the_end)
    }
}

impl Length for InFile {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for InFile {
    type T = buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let from = self.from(start)?;
        (length <= from.len()).then(|| from.slice(..length)).ok_or_else(after_the_end)
    }
}

fn after_the_end() -> ParquetError {
    ParquetError::EOF("a page ends after its column".to_owned())
}

/// A page of words: the length of each, in four bytes, and the word. `None` if it is not one.
fn words_of(mut page: Bytes) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    while !page.is_empty() {
        let length = u32::from_le_bytes(*page.first_chunk()?) as usize;
        page.advance(4);
        if page.len() < length {
            return None;
        }
        words.push(page.split_to(length));
    }
    Some(words)
}
