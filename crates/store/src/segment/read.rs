//! Reads segments: what they say of themselves, single columns, and records.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, get_typed_column_reader};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType,
    Int64Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{FileReader, SerializedFileReader};
use scrimp_core::{CallId, Record};

use super::{INFO_KEY, Info};
use crate::blob::Torn;
use crate::resolve::{Prompts, Rows};

/// An open segment.
pub(crate) struct SegmentFile {
    reader: Box<dyn FileReader>,
}

/// The records of one row group.
pub(crate) struct Group {
    blobs: Vec<ByteArray>,
    prompts: Prompts,
}

impl SegmentFile {
    /// Opens a file and reads its footer.
    pub(crate) fn open(path: &Path) -> Result<SegmentFile> {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        Ok(SegmentFile { reader: Box::new(reader) })
    }

    /// The same of a file that was read as a whole: what goes wrong from here on is in the file.
    pub(crate) fn in_memory(bytes: Bytes) -> Result<SegmentFile> {
        Ok(SegmentFile { reader: Box::new(SerializedFileReader::new(bytes)?) })
    }

    /// What the file says that it is; `None` if it was not written by a store.
    pub(crate) fn info(&self) -> Option<Info> {
        let metadata = self.reader.metadata().file_metadata().key_value_metadata()?;
        let text = metadata.iter().find(|pair| pair.key == INFO_KEY)?.value.as_deref()?;
        serde_json::from_str(text).ok()
    }

    /// How many row groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.reader.num_row_groups()
    }

    /// The smallest and largest id of a row group; everything where that is not known.
    pub(crate) fn ids_between(&self, group: usize) -> (CallId, CallId) {
        let bound = |bytes: Option<&[u8]>, otherwise| {
            let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            CallId(bytes.map_or(otherwise, u128::from_be_bytes))
        };
        let column = self.column("id").ok();
        let chunk = column.map(|at| self.reader.metadata().row_group(group).column(at));
        let statistics = chunk.and_then(|chunk| chunk.statistics());
        let least = bound(statistics.and_then(|s| s.min_bytes_opt()), 0);
        (least, bound(statistics.and_then(|s| s.max_bytes_opt()), u128::MAX))
    }

    /// The ids of a row group.
    pub(crate) fn ids(&self, group: usize) -> Result<Vec<CallId>> {
        let values: Vec<FixedLenByteArray> = self.values::<FixedLenByteArrayType>(group, "id")?;
        values
            .iter()
            .map(|value| match <[u8; 16]>::try_from(value.data()) {
                Ok(bytes) => Ok(CallId(u128::from_be_bytes(bytes))),
                Err(_) => Err(ParquetError::General("an id has another length".to_owned())),
            })
            .collect()
    }

    /// When the calls of a row group arrived, in microseconds.
    pub(crate) fn arrivals(&self, group: usize) -> Result<Vec<i64>> {
        self.values::<Int64Type>(group, "arrived")
    }

    /// Which calls of a row group succeeded.
    pub(crate) fn successes(&self, group: usize) -> Result<Vec<bool>> {
        self.values::<BoolType>(group, "success")
    }

    /// A text column of a row group.
    pub(crate) fn texts(&self, group: usize, name: &str) -> Result<Vec<ByteArray>> {
        self.values::<ByteArrayType>(group, name)
    }

    /// The records of a row group, not decoded yet.
    pub(crate) fn records(&self, group: usize) -> Result<Group> {
        let blobs = self.values::<ByteArrayType>(group, "record")?;
        Ok(Group { blobs, prompts: Prompts::default() })
    }

    fn column(&self, name: &str) -> Result<usize> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let at = schema.columns().iter().position(|column| column.path().string() == name);
        at.ok_or_else(|| ParquetError::General(format!("there is no column `{name}`")))
    }

    /// All values of a required column.
    fn values<T: DataType>(&self, group: usize, name: &str) -> Result<Vec<T::T>> {
        let rows = self.reader.metadata().row_group_num_rows(group)?;
        let column = self.column(name)?;
        let reader = self.reader.get_row_group(group)?.get_column_reader(column)?;
        let is_of_type = matches!(
            (&reader, T::get_physical_type()),
            (ColumnReader::BoolColumnReader(_), Type::BOOLEAN)
                | (ColumnReader::Int64ColumnReader(_), Type::INT64)
                | (ColumnReader::ByteArrayColumnReader(_), Type::BYTE_ARRAY)
                | (ColumnReader::FixedLenByteArrayColumnReader(_), Type::FIXED_LEN_BYTE_ARRAY)
        );
        if !is_of_type {
            return Err(ParquetError::General(format!("column `{name}` has another type")));
        }
        let mut reader = get_typed_column_reader::<T>(reader);
        let mut values = Vec::with_capacity(rows.min(super::GROUP_ROWS));
        while values.len() < rows {
            let (read, _, _) = reader.read_records(rows - values.len(), None, None, &mut values)?;
            if read == 0 {
                return Err(ParquetError::General(format!("column `{name}` breaks off")));
            }
        }
        Ok(values)
    }
}

struct Blobs<'a>(&'a [ByteArray]);

impl Rows for Blobs<'_> {
    fn blob(&mut self, row: u64) -> std::result::Result<Option<Bytes>, Torn> {
        let blob = usize::try_from(row).ok().and_then(|row| self.0.get(row));
        Ok(blob.map(|blob| Bytes::copy_from_slice(blob.data())))
    }
}

impl Group {
    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.blobs.len()
    }

    /// The record in a row.
    pub(crate) fn record(&mut self, row: usize) -> std::result::Result<Record, Torn> {
        self.prompts.record(row as u64, &mut Blobs(&self.blobs))
    }
}
