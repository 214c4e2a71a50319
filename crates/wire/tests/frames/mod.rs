//! Amazon's event streams from text that people can read: a line is a frame.
//!
//! `event <type> <payload>`, `chunk <event of the model>`, `exception <type> <payload>`, and
//! `cut <bytes>`, which cuts off as many bytes of what is before it. Written without the code that it
//! tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes of the frames in `text`.
pub(crate) fn written(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').expect("a line has a kind");
        let named = || rest.split_once(' ').expect("a frame has a name and a payload");
        match kind {
            "event" => bytes.extend(frame(":event-type", "event", named())),
            "exception" => bytes.extend(frame(":exception-type", "exception", named())),
            "chunk" => {
                let payload = format!(r#"{{"bytes":"{}","p":"abcdefg"}}"#, STANDARD.encode(rest));
                bytes.extend(frame(":event-type", "event", ("chunk", &payload)));
            }
            "cut" => bytes.truncate(bytes.len() - rest.parse::<usize>().expect("a number")),
            _ => panic!("{kind} is no kind of line"),
        }
    }
    bytes
}

fn frame(name_of: &str, message: &str, (name, payload): (&str, &str)) -> Vec<u8> {
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
    frame.extend(payload.bytes());
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
