//! Faults on request: what upstreams do on bad days, one name each, at the level of bytes.
//!
//! A caller asks with the header `x-sim-fault: NAME` or `NAME:ARGUMENT`; settings can play them
//! by chance. The table [`FAULTS`] says what each does.

use std::str::FromStr;

/// The header that asks for a fault.
pub const FAULT_HEADER: &str = "x-sim-fault";

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No head ever comes.
    Hang,
    /// The connection is reset before the head.
    Reset,
    /// The connection is closed before the head.
    Close,
    /// Half of the answer, then silence.
    Stall,
    /// Half of the answer, then a reset.
    MidReset,
    /// Half of the answer, then a close without the last chunk.
    MidClose,
    /// Half of the answer, then a chunk header that is none.
    BadChunk,
    /// The terminal event is missing.
    NoDone,
    /// Half of the answer, then an error event.
    MidError,
    /// Half of the answer, then half an event and a clean end.
    MidJson,
    /// One byte at a time.
    Bytewise,
    /// Lines end with CR LF.
    Crlf,
    /// Lines end with CR.
    CrOnly,
    /// Comments between the events.
    Comments,
    /// A byte order mark first.
    Bom,
    /// Each event's data on two lines.
    Multiline,
    /// `data:` without the space.
    NoSpace,
    /// `id:` and `retry:` fields in each event.
    Ids,
    /// Bytes that are no UTF-8 within a text.
    BadUtf8,
    /// One event of ARGUMENT mebibytes (16).
    HugeLine,
    /// No usage at all.
    NoUsage,
    /// `usage: null`.
    NullUsage,
    /// Every count is ARGUMENT (9223372036854775808).
    HugeUsage,
    /// More cached tokens than prompt tokens.
    CachedAbovePrompt,
    /// Half a JSON body with status 200.
    BadJson,
    /// A 502 with an HTML page.
    Html,
    /// Fewer bytes than `content-length` says.
    ShortBody,
    /// More bytes than `content-length` says.
    LongBody,
    /// A gzip body that grows to ARGUMENT mebibytes (64).
    Bomb,
    /// `content-encoding: gzip` on a body that is not.
    BadEncoding,
    /// A header of ARGUMENT kibibytes (200).
    BigHeader,
    /// ARGUMENT headers (10,000).
    ManyHeaders,
    /// A head that comes byte by byte, ARGUMENT milliseconds apart (1,000).
    HeaderDrip,
    /// ARGUMENT interim answers (100 times 103) before the real one.
    EarlyHints,
    /// A 204 that has a body.
    NoContent,
    /// A 304.
    NotModified,
    /// A 307 to ARGUMENT (`http://169.254.169.254/`).
    Redirect,
    /// One byte each ARGUMENT milliseconds (1,000).
    Slow,
    /// An error status in the vendor's shape. Its argument says how to come back:
    /// a value for `retry-after`, `ms=V` for `retry-after-ms`, `reset=V` for the vendor's own reset
    /// header only, `should-retry=V` for `x-should-retry`, nothing for none.
    Status(u16),
}

/// Every fault's name, and the kind it is.
pub const FAULTS: &[(&str, FaultKind)] = &[
    ("hang", FaultKind::Hang),
    ("reset", FaultKind::Reset),
    ("close", FaultKind::Close),
    ("stall", FaultKind::Stall),
    ("midreset", FaultKind::MidReset),
    ("midclose", FaultKind::MidClose),
    ("badchunk", FaultKind::BadChunk),
    ("nodone", FaultKind::NoDone),
    ("miderr", FaultKind::MidError),
    ("midjson", FaultKind::MidJson),
    ("bytewise", FaultKind::Bytewise),
    ("crlf", FaultKind::Crlf),
    ("cronly", FaultKind::CrOnly),
    ("comments", FaultKind::Comments),
    ("bom", FaultKind::Bom),
    ("multiline", FaultKind::Multiline),
    ("nospace", FaultKind::NoSpace),
    ("ids", FaultKind::Ids),
    ("badutf8", FaultKind::BadUtf8),
    ("hugeline", FaultKind::HugeLine),
    ("nousage", FaultKind::NoUsage),
    ("nullusage", FaultKind::NullUsage),
    ("hugeusage", FaultKind::HugeUsage),
    ("cachedgtprompt", FaultKind::CachedAbovePrompt),
    ("badjson", FaultKind::BadJson),
    ("html", FaultKind::Html),
    ("shortcl", FaultKind::ShortBody),
    ("longcl", FaultKind::LongBody),
    ("bomb", FaultKind::Bomb),
    ("badencoding", FaultKind::BadEncoding),
    ("bighdr", FaultKind::BigHeader),
    ("manyhdr", FaultKind::ManyHeaders),
    ("hdrdrip", FaultKind::HeaderDrip),
    ("early", FaultKind::EarlyHints),
    ("nocontent", FaultKind::NoContent),
    ("notmodified", FaultKind::NotModified),
    ("redirect", FaultKind::Redirect),
    ("slow", FaultKind::Slow),
];

/// A fault with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// What stands after the colon.
    pub argument: Option<String>,
}

/// A name that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault `{name}`; there are an error's status (429, 529, …) and {}", names())]
pub struct UnknownFault {
    /// The name as it was given.
    pub name: String,
}

fn names() -> String {
    FAULTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Fault, UnknownFault> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name.trim(), Some(argument.trim().to_owned())),
            None => (text.trim(), None),
        };
        let known = FAULTS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let status = || name.parse().ok().filter(|status| (400..600).contains(status));
        let kind = known.or_else(|| status().map(FaultKind::Status));
        let kind = kind.ok_or_else(|| UnknownFault { name: name.to_owned() })?;
        Ok(Fault { kind, argument })
    }
}

impl Fault {
    /// The argument as a number, or `otherwise`.
    pub(crate) fn number(&self, otherwise: u64) -> u64 {
        self.argument.as_ref().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    /// The argument, or `otherwise`.
    pub(crate) fn text(&self, otherwise: &str) -> String {
        self.argument.clone().unwrap_or_else(|| otherwise.to_owned())
    }

    /// How it is written in the log.
    pub(crate) fn name(&self) -> String {
        let own = FAULTS.iter().find(|(_, kind)| *kind == self.kind).map(|(name, _)| *name);
        let name = match (own, self.kind) {
            (Some(name), _) => name.to_owned(),
            (None, FaultKind::Status(status)) => status.to_string(),
            (None, _) => "unnamed".to_owned(),
        };
        match &self.argument {
            Some(argument) => format!("{name}:{argument}"),
            None => name,
        }
    }
}

/// A fault that is played by chance.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// What is played.
    pub fault: Fault,
    /// How likely, for each call.
    pub probability: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_with_their_arguments() {
        let status = |status, argument: &str| Fault {
            kind: FaultKind::Status(status),
            argument: Some(argument.to_owned()),
        };
        assert_eq!("429:1.5".parse(), Ok(status(429, "1.5")));
        assert_eq!("429:reset=6m0s".parse(), Ok(status(429, "reset=6m0s")));
        assert_eq!("hugeline:3".parse::<Fault>().expect("a fault").number(16), 3);
        let error = "boom".parse::<Fault>().expect_err("no fault").to_string();
        assert!(error.starts_with("there is no fault `boom`; there are an error's status"));
        assert!("200".parse::<Fault>().is_err());
    }

    #[test]
    fn names_lead_back_to_their_faults() {
        for (name, kind) in FAULTS {
            assert_eq!(name.parse::<Fault>().expect("a fault").kind, *kind);
        }
    }
}
