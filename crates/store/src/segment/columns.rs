//! The columns of a segment, and how a record fills them. A new column is a line in each half.

use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use scrimp_core::policy::Arm;
use scrimp_core::{CallId, Ending, Record, Role, Span, UsageState, Usd};

use crate::blob::Base;
use crate::commit::{as_signed, classes, ending, status};

/// The schema. Ids print as UUIDs; amounts are exact decimals in dollars; `prompt_prefix_*` name the
/// earlier call whose first blocks this prompt begins with, and `blocks` are the ones after these.
pub(super) const SCHEMA: &str = "
message call {
  required fixed_len_byte_array(16) id (UUID);
  required int64 arrived (TIMESTAMP(MICROS,true));
  required binary operation (STRING);
  required binary provider (STRING);
  required binary model (STRING);
  optional binary session (STRING);
  required binary key (STRING);
  optional int32 status;
  required binary ending (STRING);
  required boolean success;
  optional binary finish (STRING);
  required int32 attempts;
  required binary usage_state (STRING);
  required int64 uncached;
  required int64 cache_read;
  required int64 cache_write_short;
  required int64 cache_write_long;
  required int64 audio_input;
  required int64 image_input;
  required int64 output;
  required int64 reasoning;
  required int64 audio_output;
  optional fixed_len_byte_array(16) usd (DECIMAL(38,12));
  optional fixed_len_byte_array(16) usd_uncached (DECIMAL(38,12));
  optional int64 latency_us;
  optional int64 first_content_us;
  optional int64 last_content_us;
  optional int64 overhead_us;
  optional int64 experiment;
  optional binary arm (STRING);
  optional fixed_len_byte_array(16) prompt_prefix_call (UUID);
  required int32 prompt_prefix_blocks;
  required group blocks (LIST) {
    repeated group list {
      required group element {
        required binary role (STRING);
        required fixed_len_byte_array(16) digest;
        required int64 tokens;
      }
    }
  }
  required binary record;
}";

/// Columns whose values hardly ever repeat.
pub(super) const UNIQUE: &[&str] = &[
    "id",
    "arrived",
    "usd",
    "usd_uncached",
    "latency_us",
    "first_content_us",
    "last_content_us",
    "overhead_us",
    "prompt_prefix_call",
    "blocks.list.element.digest",
    "record",
];

/// The values of one column of one row group.
#[derive(Debug, Default)]
struct Column {
    values: Values,
    /// 1 where a value is present. Empty for a required column.
    defined: Vec<i16>,
    /// 0 where a row begins. Empty for a column that is no list.
    repeated: Vec<i16>,
}

#[derive(Debug, Default)]
enum Values {
    #[default]
    None,
    Text(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
    Long(Vec<i64>),
    Int(Vec<i32>),
    Bool(Vec<bool>),
}

/// The columns of one row group.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    next: usize,
}

impl Columns {
    /// Adds one row.
    pub(super) fn push(&mut self, record: &Record, base: Option<(Base, CallId)>, blob: Vec<u8>) {
        let Record { call, attempts, metering, timing, placement, .. } = record;
        self.next = 0;
        self.fixed(call.id.0.to_be_bytes());
        self.long(call.arrived.nanos().div_euclid(1_000));
        self.text(&call.operation);
        self.text(&call.provider);
        self.text(&call.model);
        self.maybe_text(call.caller.session.map(|session| session.to_string()).as_deref());
        self.text(&call.caller.key.to_string());
        self.maybe_int(status(record).map(i32::from));
        self.text(ending(&record.ending));
        self.bool(record.is_success());
        self.maybe_text(finish(&record.ending));
        self.int(attempts.len());
        self.text(usage_state(metering.state));
        for class in classes(&metering.usage) {
            self.long(as_signed(class));
        }
        self.maybe_fixed(record.cost.map(decimal));
        self.maybe_fixed(record.cost_uncached.map(decimal));
        for span in [timing.ended, timing.first_content, timing.last_content, timing.overhead] {
            self.maybe_long(span.map(micros));
        }
        self.maybe_long(placement.as_ref().map(|placed| as_signed(placed.experiment)));
        self.maybe_text(placement.as_ref().map(|placed| arm(placed.arm)));
        self.maybe_fixed(base.map(|(_, id)| id.0.to_be_bytes()));
        let shared = base.map_or(0, |(base, _)| base.shared);
        self.int(shared);
        let added = &call.prompt[shared..];
        self.list(added, |column, block| column.text(role(block.role)));
        self.list(added, |column, block| column.fixed(block.digest.0));
        self.list(added, |column, block| column.long(i64::from(block.tokens)));
        self.column().text_bytes(blob.into());
    }

    /// Writes the next column and empties it. Called in the order of the schema.
    pub(super) fn write(&mut self, at: usize, writer: &mut ColumnWriter<'_>) -> Result<()> {
        let Some(column) = self.columns.get_mut(at) else {
            return Err(ParquetError::General("a column has no values".to_owned()));
        };
        let Column { values, defined, repeated } = std::mem::take(column);
        let defined = (!defined.is_empty()).then_some(&defined[..]);
        let repeated = (!repeated.is_empty()).then_some(&repeated[..]);
        match (writer, values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(values)) => {
                writer.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Fixed(values)) => {
                writer.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Long(values)) => {
                writer.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int(values)) => {
                writer.write_batch(&values, defined, repeated)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => {
                writer.write_batch(&values, defined, repeated)
            }
            // An optional or repeated column without any value at all in this row group.
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::None) => {
                writer.write_batch(&[], defined, repeated)
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::None) => {
                writer.write_batch(&[], defined, repeated)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::None) => {
                writer.write_batch(&[], defined, repeated)
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::None) => {
                writer.write_batch(&[], defined, repeated)
            }
            _ => Err(ParquetError::General(format!("column {at} has another type"))),
        }
        .map(|_| ())
    }

    fn column(&mut self) -> &mut Column {
        if self.next == self.columns.len() {
            self.columns.push(Column::default());
        }
        self.next += 1;
        &mut self.columns[self.next - 1]
    }

    fn text(&mut self, value: &str) {
        self.column().text(value);
    }

    fn fixed(&mut self, value: [u8; 16]) {
        self.column().fixed(value);
    }

    fn long(&mut self, value: i64) {
        self.column().long(value);
    }

    fn int(&mut self, value: usize) {
        self.column().int(i32::try_from(value).unwrap_or(i32::MAX));
    }

    fn bool(&mut self, value: bool) {
        match &mut self.column().values {
            Values::Bool(values) => values.push(value),
            values => *values = Values::Bool(vec![value]),
        }
    }

    fn maybe_text(&mut self, value: Option<&str>) {
        self.maybe(value, Column::text);
    }

    fn maybe_fixed(&mut self, value: Option<[u8; 16]>) {
        self.maybe(value, Column::fixed);
    }

    fn maybe_long(&mut self, value: Option<i64>) {
        self.maybe(value, Column::long);
    }

    fn maybe_int(&mut self, value: Option<i32>) {
        self.maybe(value, Column::int);
    }

    fn maybe<T>(&mut self, value: Option<T>, push: fn(&mut Column, T)) {
        let column = self.column();
        column.defined.push(i16::from(value.is_some()));
        if let Some(value) = value {
            push(column, value);
        }
    }

    fn list<T>(&mut self, values: &[T], push: impl Fn(&mut Column, &T)) {
        let column = self.column();
        if values.is_empty() {
            column.defined.push(0);
            column.repeated.push(0);
        }
        for (at, value) in values.iter().enumerate() {
            column.defined.push(1);
            column.repeated.push(i16::from(0 < at));
            push(column, value);
        }
    }
}

impl Column {
    /// A text that is the last one again shares its bytes.
    fn text(&mut self, value: &str) {
        let last = match &self.values {
            Values::Text(values) => values.last(),
            _ => None,
        };
        let again = last.filter(|last| last.data() == value.as_bytes()).cloned();
        self.text_bytes(again.unwrap_or_else(|| value.into()));
    }

    fn text_bytes(&mut self, value: ByteArray) {
        match &mut self.values {
            Values::Text(values) => values.push(value),
            values => *values = Values::Text(vec![value]),
        }
    }

    fn fixed(&mut self, value: [u8; 16]) {
        let value = FixedLenByteArray::from(value.to_vec());
        match &mut self.values {
            Values::Fixed(values) => values.push(value),
            values => *values = Values::Fixed(vec![value]),
        }
    }

    fn long(&mut self, value: i64) {
        match &mut self.values {
            Values::Long(values) => values.push(value),
            values => *values = Values::Long(vec![value]),
        }
    }

    fn int(&mut self, value: i32) {
        match &mut self.values {
            Values::Int(values) => values.push(value),
            values => *values = Values::Int(vec![value]),
        }
    }
}

/// A decimal with scale 12 is the amount in pico-dollars, big-endian.
fn decimal(amount: Usd) -> [u8; 16] {
    amount.pico().to_be_bytes()
}

fn micros(span: Span) -> i64 {
    span.nanos() / 1_000
}

fn finish(ending: &Ending) -> Option<&str> {
    match ending {
        Ending::Answered { finish, .. } => finish.as_deref(),
        Ending::Truncated { .. }
        | Ending::Failed { .. }
        | Ending::Abandoned
        | Ending::Refused(_) => None,
    }
}

const fn usage_state(state: UsageState) -> &'static str {
    match state {
        UsageState::Measured => "measured",
        UsageState::Partial => "partial",
        UsageState::Estimated => "estimated",
        UsageState::Unknown => "unknown",
    }
}

const fn arm(arm: Arm) -> &'static str {
    match arm {
        Arm::Treated => "treated",
        Arm::HeldOut => "held_out",
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Tool => "tool",
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::ToolResult => "tool_result",
    }
}
