//! What was read: a file, or a source of records, and what it lacks for a replay.

use scrimp_core::{Delivery, Record, Trail, UsageState};
use serde::Serialize;

use super::count;

/// One input: a file, or a source of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Its path as the user would name it.
    pub path: String,
    /// The format that it turned out to have; `None`: it was not read, see `error`.
    pub format: Option<String>,
    /// How many calls it gave.
    pub calls: u64,
    /// How many sums of a provider's report it gave. They are no calls.
    pub sums: u64,
    /// How many lines could not be read.
    pub skipped_lines: u64,
    /// The first of them, with the reason.
    pub skipped: Vec<SkippedLine>,
    /// Why it was not read.
    pub error: Option<String>,
    /// What a replay misses in its calls.
    pub lacks: Lacks,
    /// What else is to be known of it.
    pub notes: Vec<String>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// How many calls of an input lack what a replay needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lacks {
    /// The prompt, or names of its blocks: caching cannot be replayed over them.
    pub prompts: u64,
    /// How long they took.
    pub latencies: u64,
    /// When a stream's first content came.
    pub first_contents: u64,
    /// How many tokens they used.
    pub usage: u64,
    /// Which model they asked: they are not priced.
    pub models: u64,
}

impl Input {
    /// An input of which nothing was read yet.
    pub fn new(path: String) -> Input {
        Input {
            path,
            format: None,
            calls: 0,
            sums: 0,
            skipped_lines: 0,
            skipped: Vec::new(),
            error: None,
            lacks: Lacks::default(),
            notes: Vec::new(),
        }
    }
}

impl Lacks {
    /// Sees one call.
    pub fn see(&mut self, record: &Record, trail: Option<&Trail>) {
        let call = &record.call;
        let is_told = 1 < call.prompt.len() || call.prompt.iter().any(|block| 0 < block.characters);
        let has_prompt = trail.is_some() || is_told;
        let streams = call.delivery == Delivery::Stream;
        self.prompts += u64::from(!has_prompt);
        self.latencies += u64::from(record.timing.ended.is_none());
        self.first_contents += u64::from(streams && record.timing.first_content.is_none());
        self.usage += u64::from(record.metering.state == UsageState::Unknown);
        self.models += u64::from(&*call.model == "unknown");
    }

    /// What most of `calls` lack, for a person.
    pub fn most(&self, calls: u64) -> Vec<String> {
        let Lacks { prompts, latencies, first_contents, usage, models } = *self;
        let all = [
            (prompts, "prompts"),
            (latencies, "latencies"),
            (first_contents, "times of the first content"),
            (usage, "token counts"),
            (models, "models"),
        ];
        let most = all.into_iter().filter(|(lacking, _)| calls < lacking * 2);
        let sentence = |(lacking, what): (u64, &str)| match lacking == calls {
            true => format!("all {what}"),
            false => format!("most {what} ({} of {})", count(lacking), count(calls)),
        };
        most.map(sentence).collect()
    }
}
