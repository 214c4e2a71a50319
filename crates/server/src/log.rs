//! A JSON line on standard error for each call, or a line in words for whoever sits before it.
//!
//! Lines are gathered in memory and written by a thread of its own, so that a reader that has
//! stopped reading stops nobody else. Lines that find no room are dropped and counted.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use scrimp_core::{CallId, Record, UsageState, Usd};
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

/// Stable names: scripts rest on them.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    at_ms: i64,
    id: CallId,
    operation: &'a str,
    provider: &'a str,
    model: &'a str,
    status: u16,
    success: bool,
    duration_ms: Option<f64>,
    ttft_ms: Option<f64>,
    tokens: Option<Tokens>,
    usd: Option<Usd>,
    prompt_cache_usage: Option<PromptCacheUsage>,
}

#[derive(Serialize)]
struct Tokens {
    input: u64,
    output: u64,
    measured: bool,
}

#[derive(Serialize)]
struct PromptCacheUsage {
    read: u64,
    written: u64,
}

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
                self.push_json(&serde_json::json!({ "event": event, "message": message }));
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
        self.push_json(&Line {
            event: "operation_completed",
            at_ms: call.arrived.millis(),
            id: call.id,
            operation: &call.operation,
            provider: &call.provider,
            model: &call.model,
            status: status_of(record),
            success: record.is_success(),
            duration_ms: record.timing.ended.map(scrimp_core::Span::as_millis_f64),
            ttft_ms: record.timing.first_content.map(scrimp_core::Span::as_millis_f64),
            tokens: known.then(|| Tokens {
                input: usage.input(),
                output: usage.total_output(),
                measured: record.metering.state == UsageState::Measured,
            }),
            usd: record.cost,
            prompt_cache_usage: (known && 0 < usage.cache_read + written)
                .then_some(PromptCacheUsage { read: usage.cache_read, written }),
        });
    }

    fn push_json(&self, line: &impl Serialize) {
        // Writing to memory does not fail, and every line is made of plain values.
        self.push(|lines| drop(serde_json::to_writer(lines, line)));
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
