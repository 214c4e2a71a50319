//! Any table or JSON lines of calls, by what its columns are called.
//!
//! Columns are recognised by usual names. Where two could be meant, neither is taken: the user names
//! one. A latency counts only where its name or the user says the unit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::Count;
use super::field::{Json, Moment, Money, Nested, Number, Text};
use super::told::{Answer, Told, of_body, of_messages};
use super::{Clock, IMPORTS, Import, Reading, Repeats, Source, lines, rows};
use crate::meter::usage::Report;

pub(super) const FORMAT: Import = Import {
    name: "table",
    what: "any CSV, JSON or JSON lines with columns for time, model and tokens",
    clock: Clock::Calendar,
    repeats: Repeats::Copies,
    lacks: &["table: cached tokens are taken to be a part of the input unless they are more \
         than it"],
    pieces: rows::pieces,
    fits,
    read,
};

/// What a column may hold, and how such columns are usually called: in small letters and without
/// anything else. Of the fields marked `true` there may be only one candidate.
const FIELDS: &[(&str, bool, &[&str])] = &[
    (
        "time",
        true,
        &[
            "time",
            "timestamp",
            "datetime",
            "date",
            "createdat",
            "starttime",
            "startedat",
            "requesttime",
            "requestedat",
            "ts",
        ],
    ),
    ("end", false, &["end", "endtime", "endedat", "completedat", "finishedat"]),
    ("model", true, &["model", "modelname", "modelid"]),
    (
        "input",
        true,
        &[
            "input",
            "inputtokens",
            "prompttokens",
            "tokensin",
            "tokensprompt",
            "numprompttokens",
            "contexttokens",
            "requesttokens",
            "intokens",
        ],
    ),
    (
        "output",
        true,
        &[
            "output",
            "outputtokens",
            "completiontokens",
            "tokensout",
            "tokenscompletion",
            "numcompletiontokens",
            "generatedtokens",
            "responsetokens",
            "outtokens",
        ],
    ),
    (
        "cached",
        true,
        &[
            "cachedtokens",
            "cachedinputtokens",
            "cachereadtokens",
            "cachereadinputtokens",
            "tokenscached",
            "inputcachedtokens",
        ],
    ),
    ("written", true, &["cachecreationinputtokens", "cachewritetokens", "cachecreationtokens"]),
    ("reasoning", true, &["reasoningtokens", "tokensreasoning"]),
    ("cost", true, &["cost", "costusd", "totalcost", "spend", "price", "usd"]),
    ("cost_cents", true, &["costcents", "costincents"]),
    ("latency_ms", true, &["latencyms", "durationms", "responsetimems", "elapsedms"]),
    ("latency_s", true, &["latencys", "durations", "latencyseconds", "durationseconds"]),
    ("first_ms", true, &["ttftms", "timetofirsttokenms"]),
    ("provider", false, &["provider", "providername", "vendor"]),
    ("id", false, &["requestid", "responseid", "generationid", "id"]),
    ("session", false, &["sessionid", "conversationid", "threadid", "session"]),
    ("user", false, &["userid", "user", "customer"]),
    ("operation", false, &["operation", "feature", "endpoint", "name"]),
    ("status", false, &["status", "statuscode", "httpstatus"]),
    // Whose cache it is, a usual name does not say.
    ("cache", false, &[]),
    ("request", false, &["requestbody"]),
    ("response", false, &["responsebody"]),
];

/// Which column holds what, as the user says it: `model=Model,input=Prompt Tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<(&'static str, String)>);

/// Why that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoColumns {
    /// A part is no pair.
    #[error("`{0}` is no pair such as `model=Model`")]
    NoPair(String),
    /// A field that does not exist.
    #[error("there is no field `{0}`; there are: {fields}", fields = fields())]
    NoField(String),
}

fn fields() -> String {
    FIELDS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Columns {
    type Err = NoColumns;
    fn from_str(text: &str) -> Result<Columns, NoColumns> {
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| {
            let (field, column) =
                pair.split_once('=').ok_or_else(|| NoColumns::NoPair(pair.to_owned()))?;
            let field = field.trim();
            let known = FIELDS.iter().find(|(name, ..)| *name == field);
            let (name, ..) = known.ok_or_else(|| NoColumns::NoField(field.to_owned()))?;
            Ok((*name, column.trim().to_owned()))
        });
        pairs.collect::<Result<_, _>>().map(Columns)
    }
}

impl Columns {
    /// Whether a file has all the columns that were named.
    pub(super) fn fit(&self, bytes: &[u8]) -> bool {
        let records = rows::first_records(bytes);
        let head = |column: &str| column.split('.').next().unwrap_or_default().to_owned();
        let has = |names: &Vec<String>, column: &str| {
            names.iter().any(|name| name == column || *name == head(column))
        };
        records.iter().any(|names| self.0.iter().all(|(_, column)| has(names, column)))
    }
}

/// Which column holds each field of one file.
struct Found(Vec<(&'static str, String)>);

impl Found {
    /// By the user's word first, then by usual names.
    fn of(names: &[String], columns: Option<&Columns>) -> Result<Found, String> {
        let mut found = columns.cloned().unwrap_or_default().0;
        for (field, is_sole, usual) in FIELDS {
            if found.iter().any(|(known, _)| known == field) {
                continue;
            }
            let taken = |name: &String| found.iter().any(|(_, column)| column == name);
            let is_one = |name: &&String| !taken(name) && usual.contains(&plain(name).as_str());
            let candidates: Vec<&String> = names.iter().filter(is_one).collect();
            match candidates.as_slice() {
                [] => {}
                [first, second, ..] if *is_sole => {
                    return Err(format!(
                        "both `{first}` and `{second}` may be the {field}: say which with \
                         --columns \"{field}={first}\""
                    ));
                }
                candidates => {
                    // Of several, the most usual name.
                    let rank =
                        |name: &&&String| usual.iter().position(|usual| *usual == plain(name));
                    let first = candidates.iter().min_by_key(rank).expect("not empty");
                    found.push((field, (*first).clone()));
                }
            }
        }
        Ok(Found(found))
    }

    fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == field)
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn fits(bytes: &[u8]) -> Result<(), String> {
    let has = |names: &[String], field: &str| {
        let usual = FIELDS.iter().find(|(name, ..)| *name == field).expect("a known field").2;
        names.iter().any(|name| usual.contains(&plain(name).as_str()))
    };
    let records = rows::first_records(bytes);
    let wants = ["time", "input", "output"];
    let is_table = records.iter().any(|names| wants.iter().all(|field| has(names, field)));
    let is_other = || {
        let mut others = IMPORTS.iter().filter(|other| other.name != "table");
        others.any(|other| (other.fits)(bytes).is_ok())
    };
    match is_table && !is_other() {
        true => Ok(()),
        false => Err("no columns for time, input and output tokens (name them with --columns \
                      \"time=…,input=…,output=…\")"
            .to_owned()),
    }
}

fn read(bytes: &[u8], source: &Source<'_>) -> Reading {
    let mut reading = Reading::default();
    let names = rows::first_records(bytes).into_iter().max_by_key(Vec::len).unwrap_or_default();
    let found = match Found::of(&names, source.columns) {
        Ok(found) if found.has("time") => found,
        Ok(_) => {
            reading.refused =
                Some("no column holds the time: name it with --columns \"time=…\"".to_owned());
            return reading;
        }
        Err(why) => {
            reading.refused = Some(why);
            return reading;
        }
    };
    calls_in(bytes, source, &found, reading)
}

/// Reads a format that is known by its columns: which of them holds which of [`FIELDS`], as a user
/// would say it with `--columns`.
pub(super) fn calls(
    bytes: &[u8],
    source: &Source<'_>,
    columns: &[(&'static str, &str)],
) -> Reading {
    let column = |(field, column): &(&'static str, &str)| (*field, (*column).to_owned());
    let found = Found(columns.iter().map(column).collect());
    calls_in(bytes, source, &found, Reading::default())
}

fn calls_in(bytes: &[u8], source: &Source<'_>, found: &Found, mut reading: Reading) -> Reading {
    rows::raw_records(bytes, source, &mut reading, |line, json, reading| {
        match row(json, found).map(|row| row.told().entry(source, line)) {
            Ok(Ok(entry)) => reading.entries.push(entry),
            Ok(Err(why)) => reading.skip(line, why),
            Err(error) => reading.skip(line, lines::complaint(&error)),
        }
    });
    reading
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Row {
    time: Moment,
    end: Moment,
    model: Text,
    input: Count,
    output: Count,
    cached: Count,
    written: Count,
    reasoning: Count,
    cost: Money,
    cost_cents: Money,
    latency_ms: Number,
    latency_s: Number,
    first_ms: Number,
    provider: Text,
    id: Text,
    session: Text,
    user: Text,
    operation: Text,
    status: Text,
    cache: Text,
    request: Json,
    response: Nested<Answer>,
}

/// A record's fields under the names of [`Row`].
fn row(json: &[u8], found: &Found) -> Result<Row, serde_json::Error> {
    let record: BTreeMap<String, &RawValue> = serde_json::from_slice(json)?;
    let mut object = String::from("{");
    for (field, column) in &found.0 {
        if let Some(value) = value(&record, column) {
            let comma = if object.len() == 1 { "" } else { "," };
            write!(object, "{comma}\"{field}\":{}", value.get()).expect("a string takes all");
        }
    }
    object.push('}');
    serde_json::from_str(&object)
}

/// What stands under `column`, or under `a.b` in the object `a`.
fn value<'a>(record: &BTreeMap<String, &'a RawValue>, column: &str) -> Option<&'a RawValue> {
    record.get(column).copied().or_else(|| {
        let (first, rest) = column.split_once('.')?;
        let inner = serde_json::from_str::<BTreeMap<String, &RawValue>>(record.get(first)?.get());
        value(&inner.ok()?, rest)
    })
}

impl Row {
    fn told(self) -> Told {
        let number = |count: Count| count.or_zero().unwrap_or(0);
        let status = match self.status.get() {
            Some("error" | "failed" | "failure") => Some(500),
            _ => self.status.get().and_then(|status| status.parse().ok()),
        };
        let Answer { id, usage } = self.response.0.unwrap_or_default();
        let is_hit = |word: &str| word.to_ascii_lowercase().ends_with("hit") || word == "true";
        let counted = Report {
            is_inclusive: number(self.cached) + number(self.written) <= number(self.input),
            input: self.input.into(),
            output: self.output.into(),
            cached: self.cached.into(),
            written: self.written.into(),
            reasoning: self.reasoning.into(),
            ..Report::default()
        };
        Told {
            is_cached: self.cache.get().is_some_and(is_hit),
            id: id.or(self.id),
            arrived: self.time,
            ended: self.end,
            took: self.latency_ms.millis().or(self.latency_s.seconds()),
            waited: self.first_ms.millis(),
            provider: self.provider,
            model: self.model,
            operation: self.operation,
            session: self.session,
            tags: vec![("user", self.user)],
            status: status.filter(|status| (100..1000).contains(status)),
            usage: usage.0.unwrap_or(counted),
            cost: self.cost.or_cents(self.cost_cents),
            request: of_body(&self.request).or_else(|| of_messages(&self.request)),
            ..Told::default()
        }
    }
}
