//! Logs that exist already: bytes in, records out.
//!
//! Each format is one file here and one row of [`IMPORTS`]. A format is recognised by what a file
//! says, never by its name. A line that cannot be read is skipped with its number and the reason, and
//! the rest is read: a log of a million lines is not thrown away for a broken one.

mod agent_session;
mod anthropic_usage;
mod azure;
mod bedrock;
mod burstgpt;
mod chain;
mod claude_code;
mod codex;
mod count;
mod csv;
mod field;
mod har;
mod helicone;
mod langfuse;
mod lines;
mod litellm;
mod logged;
mod mooncake;
mod openai_usage;
mod openrouter_activity;
mod portkey;
mod qwen;
mod report;
mod rows;
mod scrimp;
mod table;
mod told;
mod vllm;

use std::fmt;
use std::sync::Arc;

use scrimp_core::{Aggregate, CallId, Entry, Time};

pub use rows::Pieces;
pub use table::{Columns, NoColumns};

/// Every format, in the order in which they are tried.
pub const IMPORTS: &[Import] = &[
    agent_session::FORMAT,
    mooncake::FORMAT,
    scrimp::FORMAT,
    claude_code::FORMAT,
    codex::FORMAT,
    litellm::FORMAT,
    langfuse::FORMAT,
    helicone::FORMAT,
    portkey::FORMAT,
    bedrock::FORMAT,
    har::FORMAT,
    azure::FORMAT,
    burstgpt::FORMAT,
    qwen::FORMAT,
    vllm::FORMAT,
    openai_usage::FORMAT,
    anthropic_usage::FORMAT,
    openrouter_activity::FORMAT,
    table::FORMAT,
];

/// A format of logs.
#[derive(Debug)]
pub struct Import {
    /// The name by which a user asks for it.
    pub name: &'static str,
    /// What it is, in the words of those who have such files.
    pub what: &'static str,
    /// What its times are counted from.
    pub clock: Clock,
    /// Whether the same call may stand in several files.
    pub repeats: Repeats,
    /// What such logs do not say, and what that means for the figures made from them.
    pub lacks: &'static [&'static str],
    /// How a file that begins like this may be read piece by piece.
    pub pieces: fn(head: &[u8]) -> Pieces,
    /// Whether bytes that begin like this are of this format; the error says why not.
    pub fits: fn(bytes: &[u8]) -> Result<(), String>,
    /// Reads a whole file, or a piece of one.
    pub read: fn(bytes: &[u8], source: &Source<'_>) -> Reading,
}

/// Whether the same call may stand in several files of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Each call stands in one place.
    Never,
    /// Copies are equal: any of them will do.
    Copies,
    /// Some copies were written before the call was over: the one that saw most counts.
    Growing,
}

/// What the times of a log are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The calendar: days and months mean something.
    Calendar,
    /// The beginning of each file: gaps mean something, days and months do not.
    Relative,
}

/// Where bytes come from, and what the user says about them.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's name: keeps ids apart that are local to a file.
    pub name: &'a str,
    /// When a log with relative times is taken to have begun. Decides which day's prices count.
    pub start: Time,
    /// Whose calls these are, for logs that do not name a model.
    pub assumed: Option<&'a Assumed>,
    /// How many lines of the file stand before these bytes, beside a header that they begin with.
    pub lines_before: u64,
    /// Which columns of a table hold what.
    pub columns: Option<&'a Columns>,
}

impl<'a> Source<'a> {
    /// A whole file of which the user said nothing.
    pub fn new(name: &'a str, start: Time) -> Source<'a> {
        Source { name, start, assumed: None, lines_before: 0, columns: None }
    }
}

/// A model that the user names for a log that names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumed {
    /// Who serves it.
    pub provider: Arc<str>,
    /// Its name in the provider's API.
    pub model: Arc<str>,
}

/// What was read of one file.
#[derive(Debug, Default)]
pub struct Reading {
    /// The calls, in the order of the file.
    pub entries: Vec<Entry>,
    /// Sums that a provider reports. They are no calls and never counted as such.
    pub aggregates: Vec<Aggregate>,
    /// What is to be known of this file, in sentences.
    pub notes: Vec<String>,
    /// Why nothing of it was read although it is of this format.
    pub refused: Option<String>,
    /// What could not be read, the first [`MOST_SKIPPED_SHOWN`] of it.
    pub skipped: Vec<Skipped>,
    /// How many lines could not be read in all.
    pub skipped_lines: u64,
}

/// How many skipped lines of a file are kept with their reasons; the others are only counted.
pub const MOST_SKIPPED_SHOWN: usize = 100;

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Why a file was not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// It is none of the known formats.
    #[error("it is none of the known formats:{}", listed(tried))]
    UnknownFormat {
        /// Every format's name and why it does not fit.
        tried: Vec<(&'static str, String)>,
    },
    /// The user asked for a format that does not exist.
    #[error("there is no format `{name}`; there are: {}", known())]
    NoSuchFormat {
        /// What was asked for.
        name: String,
    },
}

fn listed(tried: &[(&'static str, String)]) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, why) in tried {
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let line = |(why, names): &(&str, Vec<&str>)| format!("\n  not {}: {why}", names.join(", "));
    reasons.iter().map(line).collect::<Vec<_>>().concat()
}

impl NotRead {
    /// The error in one line: for a file among many, most of which are meant to be something else.
    pub fn in_short(&self) -> String {
        match self {
            NotRead::UnknownFormat { .. } => {
                "it is none of the known formats (name the file itself to see why)".to_owned()
            }
            NotRead::NoSuchFormat { .. } => self.to_string(),
        }
    }
}

fn known() -> String {
    IMPORTS.iter().map(|import| import.name).collect::<Vec<_>>().join(", ")
}

/// Finds out what `bytes` are.
///
/// # Errors
/// With every format's reason if none fits.
pub fn recognise(bytes: &[u8]) -> Result<&'static Import, NotRead> {
    let mut tried = Vec::new();
    for import in IMPORTS {
        match (import.fits)(bytes) {
            Ok(()) => return Ok(import),
            Err(why) => tried.push((import.name, why)),
        }
    }
    Err(NotRead::UnknownFormat { tried })
}

/// Finds out what `bytes` are, with the user's word on columns: a file that has them all is a table
/// unless it is of a format of its own.
///
/// # Errors
/// With every format's reason if none fits.
pub fn recognise_with(bytes: &[u8], columns: Option<&Columns>) -> Result<&'static Import, NotRead> {
    recognise(bytes).or_else(|error| match columns.is_some_and(|columns| columns.fit(bytes)) {
        true => Ok(&table::FORMAT),
        false => Err(error),
    })
}

/// The format of this name.
///
/// # Errors
/// If there is none; the message names those that there are.
pub fn named(name: &str) -> Result<&'static Import, NotRead> {
    let found = IMPORTS.iter().find(|import| import.name == name);
    found.ok_or_else(|| NotRead::NoSuchFormat { name: name.to_owned() })
}

/// What makes two ids of imported calls the same call: an id without its time.
pub fn same_call(id: CallId) -> u128 {
    id.0 & logged::KEY_BITS
}

impl Reading {
    fn skip(&mut self, line: u64, why: impl fmt::Display) {
        self.skipped_lines += 1;
        if self.skipped.len() < MOST_SKIPPED_SHOWN {
            self.skipped.push(Skipped { line, why: why.to_string() });
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}
