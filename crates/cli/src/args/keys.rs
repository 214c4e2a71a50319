//! The arguments of `scrimp keys`.

use clap::{Args, Subcommand};
use scrimp_core::{Span, Time};
use scrimp_wire::prices;

use super::{DataDir, Json};

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and print it; it is shown this once and kept nowhere
    Create(Create),
    /// The keys that were made
    List(List),
    /// One key: whose it is and what it may do
    Show(One),
    /// Make a key good for nothing from now on
    Revoke(One),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// A model that it may call, such as gpt-4o, "claude-*" or "openai/*"; may be given again
    /// [default: all]
    #[arg(long = "model", value_name = "PATTERN")]
    pub(crate) models: Vec<String>,
    /// When it expires: after a time such as 90d or 12h, or on a day such as 2027-01-31
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    pub(crate) expires: Option<Expiry>,
    /// Whose it is; its calls carry this as the tag `team`
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// A tag of its calls, as NAME=VALUE; may be given again
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    pub(crate) tags: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The key's id, as `list` shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) data: DataDir,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// When a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    After(Span),
    On(Time),
}

/// `90d`, `12h`, `30m` or `2027-01-31`
fn expiry(text: &str) -> Result<Expiry, String> {
    let wanted =
        || "a time such as 90d or 12h, or a day such as 2027-01-31, is asked for".to_owned();
    if let Some(day) = prices::day(text) {
        return Ok(Expiry::On(day));
    }
    let unit = text.chars().next_back().ok_or_else(wanted)?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return Err(wanted()),
    };
    let number = text[..text.len() - 1].parse::<u32>().ok().filter(|number| 0 < *number);
    let minutes = i64::from(number.ok_or_else(wanted)?) * minutes;
    // Beyond a century nobody means it, and a number of nanoseconds ends.
    match minutes <= 100 * 366 * 24 * 60 {
        true => Ok(Expiry::After(Span::from_minutes(minutes))),
        false => Err(wanted()),
    }
}

/// `stage=test`
fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let pair = pair.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pair.ok_or_else(|| "a tag such as stage=test is asked for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_day() {
        assert_eq!(expiry("90d"), Ok(Expiry::After(Span::from_hours(90 * 24))));
        assert_eq!(expiry("30m"), Ok(Expiry::After(Span::from_minutes(30))));
        assert_eq!(expiry("2027-01-31"), Ok(Expiry::On(Time::from_secs(1_801_353_600))));
        for wrong in ["", "d", "0d", "-1d", "soon", "2027-02-30", "99999999d", "9é"] {
            assert!(expiry(wrong).is_err(), "{wrong}");
        }
        assert_eq!(tag("stage=test"), Ok(("stage".to_owned(), "test".to_owned())));
        assert!(tag("stage").is_err() && tag("=x").is_err() && tag("x=").is_err());
    }
}
