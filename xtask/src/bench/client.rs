//! A small blocking HTTP client that measures: time to the first byte of a body, and to its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A request that sends this body to `path`, with these headers beside the usual ones.
pub(super) fn request(address: &str, path: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let more: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer sk-bench\r\n\
         content-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Opens a connection with small writes sent at once.
pub(super) fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends one request and reads its answer to the end, so that the connection can be used again.
/// Returns how long the first byte of the answer's body took.
pub(super) fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<Duration> {
    let started = Instant::now();
    stream.write_all(request)?;
    let (mut seen, mut part) = (Vec::with_capacity(8192), [0; 8192]);
    let (mut first, mut head_end) = (None, None);
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            bail!("the answer broke off: {}", String::from_utf8_lossy(&seen));
        }
        seen.extend_from_slice(&part[..read]);
        head_end = head_end.or_else(|| find(&seen, b"\r\n\r\n").map(|at| at + 4));
        let Some(head_end) = head_end.filter(|end| *end < seen.len()) else { continue };
        first.get_or_insert_with(|| started.elapsed());
        if is_whole(&seen, head_end)? {
            return first.context("a body has a first byte");
        }
    }
}

/// What [`get`] returns.
pub(super) struct Answer {
    /// How many milliseconds the whole answer took.
    pub(super) ms: f64,
    pub(super) body: String,
}

/// Asks for `path` on a connection of its own.
pub(super) fn get(address: &str, path: &str) -> Result<Answer> {
    let started = Instant::now();
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{path}: {}", String::from_utf8_lossy(&answer));
    }
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let body = find(&answer, b"\r\n\r\n").map_or(&answer[..], |at| &answer[at + 4..]);
    Ok(Answer { ms, body: String::from_utf8_lossy(body).into_owned() })
}

fn is_whole(seen: &[u8], head_end: usize) -> Result<bool> {
    let head = String::from_utf8_lossy(&seen[..head_end]).to_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("not 200: {}", String::from_utf8_lossy(seen));
    }
    match head.split_once("content-length:") {
        Some((_, rest)) => {
            let length: usize = rest.lines().next().unwrap_or_default().trim().parse()?;
            Ok(head_end + length <= seen.len())
        }
        None => Ok(seen.ends_with(b"0\r\n\r\n")),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
