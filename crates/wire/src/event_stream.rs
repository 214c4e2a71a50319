//! Amazon's event streams (`application/vnd.amazon.eventstream`) from bytes that may be cut anywhere.
//!
//! A frame is its length, the length of its headers, a checksum of these two, headers, payload, and a
//! checksum of everything before it; numbers are big-endian, checksums are gzip's. Its headers say
//! whether it is an event, an exception that the API knows, or an error that it does not.
//!
//! Source: `smithy.io/2.0/aws/amazon-eventstream.html`.

use flate2::Crc;

use crate::sse::{KEPT_BYTES, MOST_BYTES};

/// Both lengths and their checksum.
const PRELUDE: usize = 12;
/// A checksum.
const CHECK: usize = 4;

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    /// The type of the event or of the exception, or the code of the error.
    pub(crate) name: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// What a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Event,
    Exception,
    Error,
}

/// Puts frames together.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The beginning of a frame whose end has not come.
    held: Vec<u8>,
    /// Bytes of a frame that is too long and is being dropped.
    dropping: usize,
    /// Frames that were too long and were dropped.
    overflowed: bool,
    /// Frames that contradict their checksums, or whose headers cannot be read.
    broken: u64,
    /// Nobody knows where the next frame begins.
    is_lost: bool,
}

impl Frames {
    /// Takes the next bytes and gives every frame that they complete.
    ///
    /// A frame whose checksum is wrong is passed over. Without a prelude that can be believed nothing
    /// that follows can be found.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on_frame: impl FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_lost {
            let dropped = self.dropping.min(rest.len());
            self.dropping -= dropped;
            rest = &rest[dropped..];
            rest = self.hold(rest, PRELUDE);
            let Some(length) = self.length() else { continue };
            rest = self.hold(rest, length);
            if self.held.len() == length {
                self.complete(&mut on_frame);
            }
        }
    }

    /// Whether what came is frames and nothing else.
    pub(crate) fn is_whole(&self) -> bool {
        self.held.is_empty() && self.dropping == 0 && !self.is_broken()
    }

    /// Whether a frame contradicted itself.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_lost || 0 < self.broken
    }

    /// Whether something was too long and was dropped.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Takes bytes until `wanted` are held, and gives back the others.
    fn hold<'b>(&mut self, bytes: &'b [u8], wanted: usize) -> &'b [u8] {
        let missing = wanted.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..missing]);
        &bytes[missing..]
    }

    /// The length of the frame at hand, once its prelude is known. One that is too long is not held.
    fn length(&mut self) -> Option<usize> {
        let Some(prelude) = Prelude::of(self.held.first_chunk()?) else {
            (self.is_lost, self.held) = (true, Vec::new());
            return None;
        };
        if MOST_BYTES < prelude.length {
            (self.overflowed, self.dropping) = (true, prelude.length - PRELUDE);
            self.held.clear();
            return None;
        }
        Some(prelude.length)
    }

    fn complete(&mut self, on_frame: &mut impl FnMut(Frame<'_>)) {
        match Frame::of(&self.held) {
            Some(frame) => on_frame(frame),
            None => self.broken += 1,
        }
        self.held.clear();
        self.held.shrink_to(KEPT_BYTES);
    }
}

/// The lengths with which a frame begins.
struct Prelude {
    length: usize,
    headers: usize,
}

impl Prelude {
    /// `None` if it contradicts its checksum or itself.
    fn of(bytes: &[u8; PRELUDE]) -> Option<Prelude> {
        let [length, headers, checksum] = [0, 4, 8].map(|at| number(&bytes[at..]));
        let (length, headers) = (length as usize, headers as usize);
        let fits = headers <= length.checked_sub(PRELUDE + CHECK)?;
        (fits && crc(&bytes[..8]) == checksum).then_some(Prelude { length, headers })
    }
}

impl<'a> Frame<'a> {
    /// Reads a frame that is complete.
    fn of(bytes: &'a [u8]) -> Option<Frame<'a>> {
        let prelude = Prelude::of(bytes.first_chunk()?)?;
        let (said, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
        if crc(said) != number(checksum) {
            return None;
        }
        let (headers, payload) = said[PRELUDE..].split_at_checked(prelude.headers)?;
        let (kind, name) = kind_and_name(headers)?;
        Some(Frame { kind, name, payload })
    }
}

/// What a frame is and how it is called. A frame that does not say is an event without a name.
fn kind_and_name(headers: &[u8]) -> Option<(Kind, &[u8])> {
    let (mut kind, mut name) = (Kind::Event, &[][..]);
    let mut rest = headers;
    while !rest.is_empty() {
        let (header, value) = take_header(&mut rest)?;
        match (header, value) {
            (b":message-type", b"exception") => kind = Kind::Exception,
            (b":message-type", b"error") => kind = Kind::Error,
            (b":event-type" | b":exception-type" | b":error-code", value) => name = value,
            _ => {}
        }
    }
    Some((kind, name))
}

/// Takes one header: its name, and its value as bytes.
fn take_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name_length = take(rest, 1)?[0];
    let name = take(rest, name_length.into())?;
    let length = match take(rest, 1)?[0] {
        // True and false.
        0 | 1 => 0,
        // A byte, a short, an integer, a long.
        2 => 1,
        3 => 2,
        4 => 4,
        // A long, a time.
        5 | 8 => 8,
        // Bytes, text.
        6 | 7 => u16::from_be_bytes(*take(rest, 2)?.first_chunk()?).into(),
        // A UUID.
        9 => 16,
        _ => return None,
    };
    Some((name, take(rest, length)?))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// The frame of an exception.
pub(crate) fn exception(name: &str, payload: &[u8]) -> Vec<u8> {
    let headers = texts(&[
        (":message-type", "exception"),
        (":exception-type", name),
        (":content-type", "application/json"),
    ]);
    framed(&headers, payload)
}

/// Headers whose values are texts.
fn texts(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(u8::try_from(name.len()).expect("names are written here"));
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(7);
        bytes.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
    bytes
}

fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = PRELUDE + headers.len() + payload.len() + CHECK;
    let mut frame = Vec::with_capacity(length);
    for number in [length, headers.len()] {
        let number = u32::try_from(number).expect("frames are shorter than 4 GiB");
        frame.extend_from_slice(&number.to_be_bytes());
    }
    frame.extend_from_slice(&crc(&frame).to_be_bytes());
    frame.extend_from_slice(headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc(&frame).to_be_bytes());
    frame
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().expect("four bytes or more"))
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests;
