//! A JSON line on standard error for each call, or a line in words for whoever sits before it.
//!
//! Lines are gathered in memory and written by a thread of its own, so that a reader that has
//! stopped reading stops nobody else. Lines that find no room are dropped and counted.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use scrimp_core::{Record, Span, UsageState};
use serde::Serialize;

use crate::flight::status_of;

/// More than this is never held.
const MOST_BYTES: usize = 4 << 20;

/// Lines are gathered for so long before they are written, so that a busy gateway wakes the writer a
/// few times a second and not with every call.
const GATHERING: Duration = Duration::from_millis(20);

/// Who reads the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// All there is, as JSON.
    Program,
    /// What happened beside the calls, in words.
    Person,
}

/// Lines on their way out.
#[derive(Debug)]
pub struct Log {
    reader: Reader,
    held: Mutex<Held>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    lines: Vec<u8>,
    dropped: u64,
    is_closed: bool,
}

/// Writes an object member by member. Its keys are plain words, which a serializer would look through
/// for signs to escape: half of what a line cost.
struct Members<'l>(&'l mut Vec<u8>);

impl Log {
    /// A log that writes to `out`, from a thread of its own, until it is closed.
    pub fn to(out: impl Write + Send + 'static) -> (Arc<Log>, std::thread::JoinHandle<()>) {
        Log::start(Reader::Program, out)
    }

    /// The same for a terminal: no calls, and in words what happened beside them.
    pub fn in_words(out: impl Write + Send + 'static) -> (Arc<Log>, std::thread::JoinHandle<()>) {
        Log::start(Reader::Person, out)
    }

    fn start(
        reader: Reader,
        mut out: impl Write + Send + 'static,
    ) -> (Arc<Log>, std::thread::JoinHandle<()>) {
        let (held, told) = (Mutex::default(), Condvar::new());
        let log = Arc::new(Log { reader, held, told });
        let writer = log.clone();
        let thread = std::thread::spawn(move || {
            while let Some(lines) = writer.next() {
                // Nobody is left to tell that standard error is gone.
                out.write_all(&lines).and_then(|()| out.flush()).ok();
            }
        });
        (log, thread)
    }

    /// Writes what is held, then ends the thread.
    pub fn close(&self) {
        self.held.lock().expect("nothing here panics").is_closed = true;
        self.told.notify_all();
    }

    /// An event beside the calls, such as a configuration that was refused.
    pub fn note(&self, event: &str, message: &str) {
        match self.reader {
            Reader::Program => {
                self.push(|line| {
                    let mut members = Members(line);
                    members.first("event", &event);
                    members.next("message", &message);
                    members.end();
                });
            }
            Reader::Person => self.push(|lines| {
                let event = event.replace('_', " ");
                // Writing to memory does not fail.
                write!(lines, "scrimp: {event}: {}", message.trim_end()).ok();
            }),
        }
    }

    pub(crate) fn call(&self, record: &Record) {
        if self.reader == Reader::Person {
            return;
        }
        let call = &record.call;
        let usage = &record.metering.usage;
        let known = record.is_metered();
        let written = usage.cache_write_short + usage.cache_write_long;
        let ms = |span: Option<Span>| span.map(Span::as_millis_f64);
        // Stable names: scripts rest on them.
        self.push(|line| {
            let mut members = Members(line);
            members.first("event", &"operation_completed");
            members.next("at_ms", &call.arrived.millis());
            members.next_word("id", &call.id.digits());
            members.next_text("operation", &call.operation);
            members.next_text("provider", &call.provider);
            members.next_text("model", &call.model);
            members.next("status", &status_of(record));
            members.next("success", &record.is_success());
            members.next("duration_ms", &ms(record.timing.ended));
            members.next("ttft_ms", &ms(record.timing.first_content));
            members.inner("tokens", known, |tokens| {
                tokens.first("input", &usage.input());
                tokens.next("output", &usage.total_output());
                tokens.next("measured", &(record.metering.state == UsageState::Measured));
            });
            match record.cost {
                Some(cost) => cost.spell(|usd| members.next_word("usd", usd.as_bytes())),
                None => members.next("usd", &()),
            }
            members.inner("prompt_cache_usage", known && 0 < usage.cache_read + written, |used| {
                used.first("read", &usage.cache_read);
                used.next("written", &written);
            });
            members.end();
        });
    }

    fn push(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut held = self.held.lock().expect("nothing here panics");
        if MOST_BYTES < held.lines.len() {
            held.dropped += 1;
            return;
        }
        let was_empty = held.lines.is_empty();
        write(&mut held.lines);
        held.lines.push(b'\n');
        drop(held);
        if was_empty {
            self.told.notify_one();
        }
    }

    /// What was gathered; `None` once the log is closed and empty.
    fn next(&self) -> Option<Vec<u8>> {
        let mut held = self.held.lock().expect("nothing here panics");
        while held.lines.is_empty() && !held.is_closed {
            held = self.told.wait(held).expect("nothing here panics");
        }
        if !held.is_closed {
            drop(held);
            std::thread::sleep(GATHERING);
            held = self.held.lock().expect("nothing here panics");
        }
        if 0 < held.dropped {
            let dropped = std::mem::take(&mut held.dropped);
            let line = format!("{{\"event\":\"log_lines_dropped\",\"count\":{dropped}}}\n");
            held.lines.extend_from_slice(line.as_bytes());
        }
        let lines = std::mem::take(&mut held.lines);
        (!lines.is_empty()).then_some(lines)
    }
}

impl Members<'_> {
    fn first(&mut self, key: &'static str, value: &impl Serialize) {
        self.key(b'{', key);
        self.value(value);
    }

    fn next(&mut self, key: &'static str, value: &impl Serialize) {
        self.key(b',', key);
        self.value(value);
    }

    fn next_text(&mut self, key: &'static str, text: &str) {
        let needs_no_escape = |byte: u8| b' ' <= byte && !matches!(byte, b'"' | b'\\');
        match text.bytes().all(needs_no_escape) {
            true => self.next_word(key, text.as_bytes()),
            false => self.next(key, &text),
        }
    }

    /// Text in which there is nothing to escape.
    fn next_word(&mut self, key: &'static str, word: &[u8]) {
        self.key(b',', key);
        for part in [b"\"", word, b"\""] {
            self.0.extend_from_slice(part);
        }
    }

    /// A member that is an object of its own, or null.
    fn inner(&mut self, key: &'static str, is_known: bool, write: impl FnOnce(&mut Members<'_>)) {
        self.key(b',', key);
        if is_known {
            write(self);
            self.end();
        } else {
            self.value(&());
        }
    }

    fn end(&mut self) {
        self.0.push(b'}');
    }

    fn key(&mut self, before: u8, key: &'static str) {
        self.0.extend_from_slice(&[before, b'"']);
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn value(&mut self, value: &impl Serialize) {
        // Writing to memory does not fail, and every member is a plain value.
        drop(serde_json::to_writer(&mut *self.0, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_in_words_and_a_program_in_json() {
        for (reader, expected) in [
            (Reader::Person, "scrimp: records not written: disk is full\n"),
            (Reader::Program, "{\"event\":\"records_not_written\",\"message\":\"disk is full\"}\n"),
        ] {
            let (log, writer) = Log::start(reader, std::io::sink());
            log.close();
            writer.join().unwrap();
            log.note("records_not_written", "disk is full");
            assert_eq!(String::from_utf8(log.next().unwrap()).unwrap(), expected);
        }
    }
}
