//! Amazon's event streams from text that people can read: a line is a frame.
//!
//! `event <type> <payload>`, `chunk <event of the model>`, `exception <type> <payload>`, and
//! `cut <bytes>`, which cuts off as many bytes of what is before it. Written without the code that it
//! tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes of the frames in `text`.
pub(crate) fn written(text: &str) -> Vec<u8> {
    changed(text, <[u8]>::to_vec)
}

/// The same, with every payload changed before it is put into its frame.
pub(crate) fn changed(text: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').expect("a line has a kind");
        let named = || {
            let (name, payload) = rest.split_once(' ').expect("a frame has a name and a payload");
            (name, change(payload.as_bytes()))
        };
        match kind {
            "event" => bytes.extend(frame(":event-type", "event", named())),
            "exception" => bytes.extend(frame(":exception-type", "exception", named())),
            "chunk" => {
                let event = STANDARD.encode(change(rest.as_bytes()));
                let payload = format!(r#"{{"bytes":"{event}","p":"abcdefg"}}"#);
                bytes.extend(frame(":event-type", "event", ("chunk", payload.into())));
            }
            "cut" => {
                let cut: usize = rest.parse().expect("a number");
                bytes.truncate(bytes.len().saturating_sub(cut));
            }
            _ => panic!("{kind} is no kind of line"),
        }
    }
    bytes
}

fn frame(name_of: &str, message: &str, (name, payload): (&str, Vec<u8>)) -> Vec<u8> {
    let mut headers = Vec::new();
    let all = [(name_of, name), (":content-type", "application/json"), (":message-type", message)];
    for (header, value) in all {
        headers.push(u8::try_from(header.len()).expect("short"));
        headers.extend(header.bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
        headers.extend(value.bytes());
    }
    let number = |length: usize| u32::try_from(length).expect("short").to_be_bytes();
    let mut frame = number(16 + headers.len() + payload.len()).to_vec();
    frame.extend(number(headers.len()));
    frame.extend(crc(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc(&frame).to_be_bytes());
    frame
}

/// Gzip's checksum, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
