//! Answers that hyper would never write: heads that lie, heads that are too large, bodies that
//! grow when they are unpacked.

use crate::fault::{Fault, FaultKind};
use bytes::Bytes;
use std::time::Duration;

/// A body that looks like an answer.
const SMALL: &str =
    r#"{"id":"raw","object":"chat.completion","created":0,"model":"raw","choices":[]}"#;

/// The bytes of the whole answer and the pause between two of them. `None` for faults that are
/// none of these.
pub(crate) fn answer(fault: &Fault) -> Option<(Bytes, Duration)> {
    let whole = |bytes: Vec<u8>| Some((Bytes::from(bytes), Duration::ZERO));
    match fault.kind {
        FaultKind::ShortBody => whole(head(200, &length(SMALL.len() + 100), SMALL.as_bytes())),
        FaultKind::LongBody => {
            let body = format!("{SMALL}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
            whole(head(200, &length(SMALL.len()), body.as_bytes()))
        }
        FaultKind::Bomb => {
            let body = bomb(fault.number(64));
            let headers = format!("content-encoding: gzip\r\n{}", length(body.len()));
            whole(head(200, &headers, &body))
        }
        FaultKind::BadEncoding => {
            let headers = format!("content-encoding: gzip\r\n{}", length(SMALL.len()));
            whole(head(200, &headers, SMALL.as_bytes()))
        }
        FaultKind::BigHeader => {
            let kibibytes = usize::try_from(fault.number(200)).unwrap_or(200);
            let headers =
                format!("x-big: {}\r\n{}", "x".repeat(kibibytes << 10), length(SMALL.len()));
            whole(head(200, &headers, SMALL.as_bytes()))
        }
        FaultKind::ManyHeaders => {
            let names = 0..fault.number(10_000);
            let many = names.fold(String::new(), |many, n| many + &format!("x-{n}: y\r\n"));
            whole(head(200, &format!("{many}{}", length(SMALL.len())), SMALL.as_bytes()))
        }
        FaultKind::HeaderDrip => {
            let bytes = head(200, &length(SMALL.len()), SMALL.as_bytes());
            Some((Bytes::from(bytes), Duration::from_millis(fault.number(1000))))
        }
        FaultKind::EarlyHints => {
            let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
            let times = usize::try_from(fault.number(100)).unwrap_or(100);
            let answer = head(200, &length(SMALL.len()), SMALL.as_bytes());
            whole([hint.repeat(times), answer].concat())
        }
        FaultKind::NoContent => whole(head(204, &length(SMALL.len()), SMALL.as_bytes())),
        FaultKind::NotModified => whole(head(304, "", b"")),
        _ => None,
    }
}

fn length(bytes: usize) -> String {
    format!("content-length: {bytes}\r\n")
}

fn head(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status} Simulated\r\ncontent-type: application/json\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// A gzip member of so many mebibytes of zeros: stored once, referred to from then on.
///
/// One dynamic block would be smaller; one with the fixed codes is simpler to write by hand, and
/// with 258 bytes for each 13 bits it still grows 150-fold.
fn bomb(mebibytes: u64) -> Vec<u8> {
    let size = mebibytes << 20;
    let mut bits = Bits::default();
    bits.push(0b1, 1); // the last block
    bits.push(0b01, 2); // with the fixed codes
    bits.code(0x30, 8); // the literal 0
    let mut left = size.saturating_sub(1);
    while 258 <= left {
        bits.code(0b1100_0101, 8); // length 258
        bits.code(0, 5); // distance 1
        left -= 258;
    }
    for _ in 0..left {
        bits.code(0x30, 8);
    }
    bits.code(0, 7); // the end of the block
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(bits.done());
    // Whoever unpacks so far as to check the sum has lost already; it is left zero.
    out.extend([0; 4]);
    out.extend((size % (1 << 32)).to_le_bytes().iter().take(4));
    out
}

/// Bits in DEFLATE's order.
#[derive(Default)]
struct Bits {
    out: Vec<u8>,
    open: u32,
    count: u32,
}

impl Bits {
    /// A number, lowest bit first.
    fn push(&mut self, value: u32, bits: u32) {
        self.open |= value << self.count;
        self.count += bits;
        while 8 <= self.count {
            self.out.push(self.open.to_le_bytes()[0]);
            self.open >>= 8;
            self.count -= 8;
        }
    }

    /// A Huffman code, highest bit first.
    fn code(&mut self, code: u32, bits: u32) {
        self.push(code.reverse_bits() >> (32 - bits), bits);
    }

    fn done(mut self) -> Vec<u8> {
        self.push(0, 7);
        self.out
    }
}
