//! The columns of a segment, and how a record fills them. A new column is a line in each half.

use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use rustc_hash::FxHashMap;
use scrimp_core::policy::Arm;
use scrimp_core::{CallId, Role, Span, UsageState, Usd};

use crate::blob::Base;
use crate::commit::{as_signed, classes};
use crate::view::View;

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

/// Numbers that hardly repeat, or are nearly always the same: packed as differences.
pub(super) const PACKED: &[&str] = &[
    "arrived",
    "uncached",
    "cache_read",
    "cache_write_short",
    "cache_write_long",
    "audio_input",
    "image_input",
    "output",
    "reasoning",
    "audio_output",
    "latency_us",
    "first_content_us",
    "last_content_us",
    "overhead_us",
    "blocks.list.element.tokens",
];
/// Columns whose values hardly ever repeat within a row group.
pub(super) const RANDOM: &[&str] =
    &["id", "session", "prompt_prefix_call", "blocks.list.element.digest", "record"];
/// Columns that a compressor makes much shorter.
pub(super) const SQUEEZED: &[&str] =
    &["id", "session", "usd", "usd_uncached", "prompt_prefix_call", "record"];

/// How long a digest is as text.
const HEX_BYTES: usize = 32;
/// How many words are remembered at once.
const MOST_WORDS: usize = 1_024;

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
    /// Words that come again and again, each allocated once.
    Text(Vec<ByteArray>),
    /// Sixteen bytes that are shown as hexadecimal text.
    Hex(Vec<u8>),
    /// Sixteen bytes each.
    Fixed(Vec<u8>),
    /// Bytes one after the other, and where each value ends.
    Bytes(Vec<u8>, Vec<usize>),
    Long(Vec<i64>),
    Int(Vec<i32>),
    Bool(Vec<bool>),
}

/// The columns of one row group.
#[derive(Debug, Default)]
pub(super) struct Columns {
    all: Vec<Column>,
    next: usize,
    words: FxHashMap<Box<str>, ByteArray>,
}

impl Columns {
    /// Adds one row: what it shows, the row that its prompt begins with, that row's id, and its bytes.
    pub(super) fn push(
        &mut self,
        view: &View<'_>,
        base: Option<Base>,
        named: Option<CallId>,
        record: &[u8],
    ) {
        let View { call, attempts, metering, timing, placement, .. } = view;
        self.next = 0;
        self.fixed(call.id.0.to_be_bytes());
        self.long(call.arrived.nanos().div_euclid(1_000));
        self.text(call.operation);
        self.text(call.provider);
        self.text(call.model);
        self.maybe(call.session.map(|session| session.0), Column::hex);
        self.column().hex(call.key.0);
        self.maybe_int(view.status().map(i32::from));
        self.word(view.ending());
        self.bool(view.is_success());
        self.maybe_text(view.finish());
        self.int(*attempts);
        self.word(usage_state(metering.state));
        for class in classes(&metering.usage) {
            self.long(as_signed(class));
        }
        self.maybe_fixed(view.cost.map(decimal));
        self.maybe_fixed(view.cost_uncached.map(decimal));
        for span in [timing.ended, timing.first_content, timing.last_content, timing.overhead] {
            self.maybe_long(span.map(micros));
        }
        self.maybe_long(placement.as_ref().map(|placed| as_signed(placed.experiment)));
        self.maybe(placement.as_ref().map(|placed| arm(placed.arm)), Column::word);
        self.maybe_fixed(named.map(|id| id.0.to_be_bytes()));
        self.int(base.map_or(0, |base| base.shared));
        self.list(&view.added, |column, block| column.word(role(block.role)));
        self.list(&view.added, |column, block| column.fixed(block.digest.0));
        self.list(&view.added, |column, block| column.long(i64::from(block.tokens)));
        self.column().record(record);
    }

    /// Writes the column `at` and empties it, keeping its memory for the next row group.
    pub(super) fn write(&mut self, at: usize, writer: &mut ColumnWriter<'_>) -> Result<()> {
        let Some(column) = self.all.get_mut(at) else {
            return Err(ParquetError::General("a column has no values".to_owned()));
        };
        let Column { values, defined, repeated } = &mut *column;
        let defined = (!defined.is_empty()).then_some(&defined[..]);
        let repeated = (!repeated.is_empty()).then_some(&repeated[..]);
        match (writer, values) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(values)) => {
                writer.write_batch(values, defined, repeated)
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Hex(bytes)) => {
                let text = Bytes::from(hex(bytes));
                let values = pieces(&text, HEX_BYTES).map(ByteArray::from);
                writer.write_batch(&values.collect::<Vec<_>>(), defined, repeated)
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(bytes, ends)) => {
                let shared = Bytes::from(std::mem::take(bytes));
                let starts = [0].into_iter().chain(ends.iter().copied());
                let values = starts.zip(&*ends).map(|(at, end)| shared.slice(at..*end).into());
                let written = writer.write_batch(&values.collect::<Vec<_>>(), defined, repeated);
                *bytes = shared.into();
                written
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Fixed(bytes)) => {
                let shared = Bytes::from(std::mem::take(bytes));
                let values = pieces(&shared, 16).map(|value| ByteArray::from(value).into());
                let written = writer.write_batch(&values.collect::<Vec<_>>(), defined, repeated);
                // Nobody else holds them any more: this is the same memory again.
                *bytes = shared.into();
                written
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Long(values)) => {
                writer.write_batch(values, defined, repeated)
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int(values)) => {
                writer.write_batch(values, defined, repeated)
            }
            (ColumnWriter::BoolColumnWriter(writer), Values::Bool(values)) => {
                writer.write_batch(values, defined, repeated)
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
        }?;
        column.clear();
        Ok(())
    }

    fn column(&mut self) -> &mut Column {
        if self.next == self.all.len() {
            self.all.push(Column::default());
        }
        self.next += 1;
        &mut self.all[self.next - 1]
    }

    fn text(&mut self, value: &str) {
        let value = self.known(value);
        self.column().text(value);
    }

    fn word(&mut self, value: &'static str) {
        self.column().word(value);
    }

    fn fixed(&mut self, value: [u8; 16]) {
        self.column().fixed(value);
    }

    /// The same text as before where it was seen before, without a copy.
    fn known(&mut self, value: &str) -> ByteArray {
        if let Some(known) = self.words.get(value) {
            return known.clone();
        }
        if MOST_WORDS <= self.words.len() {
            self.words.clear();
        }
        let known = ByteArray::from(value);
        self.words.insert(value.into(), known.clone());
        known
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
        let value = value.map(|value| self.known(value));
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
    fn clear(&mut self) {
        self.defined.clear();
        self.repeated.clear();
        match &mut self.values {
            Values::None => {}
            Values::Text(values) => values.clear(),
            Values::Hex(values) | Values::Fixed(values) => values.clear(),
            Values::Bytes(bytes, ends) => {
                bytes.clear();
                ends.clear();
            }
            Values::Long(values) => values.clear(),
            Values::Int(values) => values.clear(),
            Values::Bool(values) => values.clear(),
        }
    }

    fn text(&mut self, value: ByteArray) {
        match &mut self.values {
            Values::Text(values) => values.push(value),
            values => *values = Values::Text(vec![value]),
        }
    }

    fn word(&mut self, value: &'static str) {
        self.text(Bytes::from_static(value.as_bytes()).into());
    }

    fn hex(&mut self, value: [u8; 16]) {
        match &mut self.values {
            Values::Hex(values) => values.extend_from_slice(&value),
            values => *values = Values::Hex(value.to_vec()),
        }
    }

    fn fixed(&mut self, value: [u8; 16]) {
        match &mut self.values {
            Values::Fixed(values) => values.extend_from_slice(&value),
            values => *values = Values::Fixed(value.to_vec()),
        }
    }

    fn record(&mut self, record: &[u8]) {
        if !matches!(self.values, Values::Bytes(..)) {
            self.values = Values::Bytes(Vec::new(), Vec::new());
        }
        let Values::Bytes(bytes, ends) = &mut self.values else { return };
        bytes.extend_from_slice(record);
        ends.push(bytes.len());
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

/// Cuts a buffer into values of one length that share it.
fn pieces(bytes: &Bytes, each: usize) -> impl Iterator<Item = Bytes> {
    (0..bytes.len() / each).map(move |at| bytes.slice(at * each..(at + 1) * each))
}

/// As digests are shown.
fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = b"0123456789abcdef";
    let both = |byte: &u8| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
    bytes.iter().flat_map(both).collect()
}

/// A decimal with scale 12 is the amount in pico-dollars, big-endian.
fn decimal(amount: Usd) -> [u8; 16] {
    amount.pico().to_be_bytes()
}

fn micros(span: Span) -> i64 {
    span.nanos() / 1_000
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
