//! What a fault does to the frames of an answer that was fine.

use crate::connection::Severance;
use crate::fault::{Fault, FaultKind};
use crate::models::Api;
use crate::paced::{Ending, Packing};
use crate::telling::{Frame, Numbers, Part};
use crate::{anthropic, openai};
use bytes::Bytes;
use memchr::memmem;
use std::time::Duration;

/// An answer's frames and how they go out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) frames: Vec<Frame>,
    pub(crate) ending: Ending,
    pub(crate) packing: Packing,
    /// Between two frames, on top of when they are due.
    pub(crate) gap: Duration,
    /// Bytes that the head declares, for a whole body.
    pub(crate) declared: Option<u64>,
}

/// What `fault` puts where the usage should stand.
pub(crate) fn numbers(fault: Option<&Fault>) -> Numbers {
    let Some(fault) = fault else { return Numbers::Honest };
    match fault.kind {
        FaultKind::NoUsage => Numbers::Missing,
        FaultKind::NullUsage => Numbers::Null,
        FaultKind::HugeUsage => Numbers::Hostile(fault.text("9223372036854775808")),
        FaultKind::CachedAbovePrompt => Numbers::MoreCachedThanPrompt,
        _ => Numbers::Honest,
    }
}

/// Plays `fault` on a streamed answer.
pub(crate) fn stream(frames: Vec<Frame>, fault: Option<&Fault>, api: Api) -> Outgoing {
    let Some(fault) = fault else { return plain(frames) };
    match fault.kind {
        FaultKind::Crlf => plain(each(frames, |bytes| replace(bytes, b"\n", b"\r\n"))),
        FaultKind::CrOnly => plain(each(frames, |bytes| replace(bytes, b"\n", b"\r"))),
        FaultKind::Comments => plain(each(frames, |bytes| [b": keep-alive\n\n", bytes].concat())),
        FaultKind::NoSpace => plain(each(frames, |bytes| replace(bytes, b"data: ", b"data:"))),
        FaultKind::Ids => plain(each(frames, |bytes| [b"id: 1\nretry: 3000\n", bytes].concat())),
        FaultKind::Multiline => {
            plain(each(frames, |bytes| replace(bytes, b"data: {", b"data: {\ndata: ")))
        }
        FaultKind::Bom => plain(with_first(frames, "\u{FEFF}".into())),
        FaultKind::BadUtf8 => plain(each(frames, break_text)),
        FaultKind::HugeLine => {
            let mebibytes = usize::try_from(fault.number(16)).unwrap_or(16);
            let padding = "x".repeat(mebibytes << 20);
            let event =
                format!("event: ping\ndata: {{\"type\":\"ping\",\"padding\":\"{padding}\"}}\n\n");
            plain(with_middle(frames, Bytes::from(event)))
        }
        FaultKind::NoDone => {
            plain(frames.into_iter().filter(|frame| frame.part != Part::End).collect())
        }
        FaultKind::MidError => {
            let error = match api {
                Api::OpenAi => openai::answer::stream_error(),
                Api::Anthropic => anthropic::answer::stream_error(),
            };
            plain(and_then(half(frames), error))
        }
        FaultKind::MidJson | FaultKind::BadJson => plain(half_an_event(frames)),
        _ => broken(frames, fault),
    }
}

/// Plays `fault` on a whole body.
pub(crate) fn whole(frames: Vec<Frame>, fault: Option<&Fault>) -> Outgoing {
    let length = length(&frames);
    let mut outgoing = match fault {
        Some(Fault { kind: FaultKind::BadJson | FaultKind::MidJson, .. }) => plain(halved(frames)),
        Some(Fault { kind: FaultKind::BadUtf8, .. }) => plain(each(frames, break_text)),
        Some(fault) => broken_whole(frames, fault),
        None => plain(frames),
    };
    outgoing.declared = match outgoing.ending {
        Ending::Complete => Some(self::length(&outgoing.frames)),
        _ => Some(length),
    };
    outgoing
}

fn broken_whole(frames: Vec<Frame>, fault: &Fault) -> Outgoing {
    match fault.kind {
        FaultKind::Stall | FaultKind::MidReset | FaultKind::MidClose | FaultKind::BadChunk => {
            let mut outgoing = broken(Vec::new(), fault);
            outgoing.frames = halved(frames);
            outgoing
        }
        _ => broken(frames, fault),
    }
}

/// Faults of the transport, which know nothing of events.
fn broken(frames: Vec<Frame>, fault: &Fault) -> Outgoing {
    let severed = |frames, how| Outgoing { ending: Ending::Sever(how), ..plain(half(frames)) };
    match fault.kind {
        FaultKind::Stall => Outgoing { ending: Ending::Stall, ..plain(half(frames)) },
        FaultKind::MidReset => severed(frames, Severance::Reset),
        FaultKind::MidClose => severed(frames, Severance::Close),
        FaultKind::BadChunk => {
            let bytes = Bytes::from_static(b"zz\r\nno chunk\r\n");
            severed(frames, Severance::Raw { bytes, pace: Duration::ZERO })
        }
        FaultKind::Bytewise => Outgoing { packing: Packing::Apart, ..plain(bytes_apart(frames)) },
        FaultKind::Slow => {
            let gap = Duration::from_millis(fault.number(1000));
            Outgoing { packing: Packing::Apart, gap, ..plain(bytes_apart(frames)) }
        }
        _ => plain(frames),
    }
}

fn plain(frames: Vec<Frame>) -> Outgoing {
    let (ending, packing) = (Ending::Complete, Packing::Together);
    Outgoing { frames, ending, packing, gap: Duration::ZERO, declared: None }
}

fn length(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.bytes.len() as u64).sum()
}

fn each(mut frames: Vec<Frame>, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Frame> {
    for frame in &mut frames {
        frame.bytes = Bytes::from(change(&frame.bytes));
    }
    frames
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let mut start = 0;
    for place in memmem::find_iter(bytes, from) {
        out.extend(&bytes[start..place]);
        out.extend(to);
        start = place + from.len();
    }
    out.extend(&bytes[start..]);
    out
}

/// Puts two bytes that are no UTF-8 at the start of the first text in `bytes`.
fn break_text(bytes: &[u8]) -> Vec<u8> {
    let names: [&[u8]; 4] =
        [b"\"content\":\"", b"\"text\":\"", b"\"partial_json\":\"", b"\"arguments\":\""];
    let found = names.iter().filter_map(|name| Some(memmem::find(bytes, name)? + name.len())).min();
    let Some(place) = found else { return bytes.to_vec() };
    [&bytes[..place], &[0xFF, 0xC3], &bytes[place..]].concat()
}

fn with_first(mut frames: Vec<Frame>, first: Bytes) -> Vec<Frame> {
    frames.insert(0, Frame { bytes: first, tokens_to_here: 0, part: Part::Head });
    frames
}

fn with_middle(mut frames: Vec<Frame>, bytes: Bytes) -> Vec<Frame> {
    let middle = frames.len() / 2;
    let tokens_to_here = frames.get(middle).map_or(0, |frame| frame.tokens_to_here);
    frames.insert(middle, Frame { bytes, tokens_to_here, part: Part::Content });
    frames
}

/// The first half of the events, at least one.
fn half(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.truncate(frames.len().div_ceil(2));
    frames
}

fn and_then(mut frames: Vec<Frame>, bytes: Bytes) -> Vec<Frame> {
    let tokens_to_here = frames.last().map_or(0, |frame| frame.tokens_to_here);
    frames.push(Frame { bytes, tokens_to_here, part: Part::Content });
    frames
}

/// Half of the events, the last of them only in half.
fn half_an_event(frames: Vec<Frame>) -> Vec<Frame> {
    let mut frames = half(frames);
    if let Some(last) = frames.last_mut() {
        last.bytes = last.bytes.slice(..last.bytes.len() / 2);
    }
    frames
}

/// Half of the bytes of a whole body.
fn halved(frames: Vec<Frame>) -> Vec<Frame> {
    let halve = |frame: Frame| Frame { bytes: frame.bytes.slice(..frame.bytes.len() / 2), ..frame };
    frames.into_iter().map(halve).collect()
}

fn bytes_apart(frames: Vec<Frame>) -> Vec<Frame> {
    let apart = |frame: Frame| {
        let bytes = frame.bytes.clone();
        (0..bytes.len()).map(move |at| Frame { bytes: bytes.slice(at..=at), ..frame.clone() })
    };
    frames.into_iter().flat_map(apart).collect()
}
