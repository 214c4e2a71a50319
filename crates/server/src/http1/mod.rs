//! What HTTP/1.1 is made of on both sides: framing of bodies, lines of heads, reading, writing.

mod framing;
mod lines;
mod stream;

pub(crate) use framing::{Chunk, Framing, NotHttp, length};
pub(crate) use lines::{MOST_HEADERS, Place, has_token, push, range_of};
pub(crate) use stream::{COPIED, Outbox, READ, poll_read, poll_read_much};
