//! How an answer's bytes are cut into events.

use scrimp_core::Delivery;

/// How an answer's bytes are cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Not at all.
    Whole,
    /// As server-sent events.
    Sse,
    /// As frames of Amazon's event streams.
    EventStream,
}

impl Framing {
    /// What a content type says.
    pub fn of(content_type: &[u8]) -> Framing {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        let is = |known: &[u8]| essence.trim_ascii().eq_ignore_ascii_case(known);
        if is(b"text/event-stream") {
            return Framing::Sse;
        }
        if is(b"application/vnd.amazon.eventstream") {
            Framing::EventStream
        } else {
            Framing::Whole
        }
    }

    /// Whether the answer comes piece by piece.
    pub fn delivery(self) -> Delivery {
        match self {
            Framing::Whole => Delivery::Whole,
            Framing::Sse | Framing::EventStream => Delivery::Stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_how_bytes_are_cut() {
        for (content_type, framing) in [
            ("text/event-stream", Framing::Sse),
            ("Text/Event-Stream; charset=utf-8", Framing::Sse),
            ("application/vnd.amazon.eventstream", Framing::EventStream),
            ("application/json", Framing::Whole),
            ("text/event-streams", Framing::Whole),
            ("", Framing::Whole),
        ] {
            assert_eq!(Framing::of(content_type.as_bytes()), framing, "{content_type}");
        }
    }
}
