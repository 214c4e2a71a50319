//! Files of logs: found, opened, decompressed, recognised and read, several at a time.
//!
//! A file is held in memory while it is read and handed on before the next: a folder may be larger
//! than the machine. A file that cannot be read is told about, with the reason, and the others go
//! on. Compression and format are recognised by content, never by name.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_analysis::profile::Calendar;
use scrimp_analysis::report::{Input, SkippedLine, plural};
use scrimp_core::{Entry, Time};
use scrimp_wire::import::{self, Assumed, Clock, Import, Reading, Repeats, Source};

/// A file may not be larger than this once it is decompressed.
const MOST_BYTES: u64 = 8 << 30;
/// Of the files with troubles, so many are named.
const MOST_NAMED: usize = 5;

/// What the user says about the files.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The format; `None`: recognised.
    format: Option<&'static Import>,
    /// Whose calls those are that name no model.
    assumed: Option<Assumed>,
    /// When logs with relative times are taken to have begun.
    start: Time,
}

/// What was read, beside the calls themselves.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Every file, in order.
    pub(crate) files: Vec<Input>,
    /// What the formats do not say and what follows from it.
    pub(crate) notes: Vec<String>,
    /// Some calls have dates, others only times since the beginning of their file.
    pub(crate) mixes_clocks: bool,
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    /// Whether the user named it: then the reason why it is not read may be long.
    is_named: bool,
}

/// What a worker made of a file.
struct Opened {
    at: usize,
    /// The bytes broke off here, for this reason.
    broken: Option<String>,
    result: Result<(&'static Import, Reading), String>,
}

impl Reader {
    pub(crate) fn new(
        format: Option<&'static Import>,
        assumed: Option<Assumed>,
        start: Time,
    ) -> Reader {
        Reader { format, assumed, start }
    }

    /// Reads every file in and under `paths` (`-`: standard input). `each` gets every call once, in
    /// no particular order, with what its times are counted from.
    ///
    /// # Errors
    /// If a named path cannot be listed. A file that cannot be read is told about in the result.
    pub(crate) fn read(
        &self,
        paths: &[PathBuf],
        each: &mut dyn FnMut(Entry, Calendar),
    ) -> io::Result<Inputs> {
        let places = find(paths)?;
        let mut gathering = Gathering::new(each, places.len());
        let next = Mutex::new(places.iter().enumerate());
        let workers = thread::available_parallelism().map_or(2, usize::from).min(places.len());
        thread::scope(|scope| {
            let (out, opened) = sync_channel(workers);
            for _ in 0..workers {
                let (out, next) = (out.clone(), &next);
                scope.spawn(move || self.work(next, &out));
            }
            drop(out);
            gathering.take(&places, &opened);
        });
        Ok(gathering.finish())
    }

    fn work<'a>(
        &self,
        next: &Mutex<impl Iterator<Item = (usize, &'a Place)>>,
        out: &SyncSender<Opened>,
    ) {
        loop {
            let place = next.lock().expect("taking the next place does not panic").next();
            let Some((at, place)) = place else { return };
            // Nobody listens any more: the others stop, too.
            if out.send(self.open(at, place)).is_err() {
                return;
            }
        }
    }

    fn open(&self, at: usize, place: &Place) -> Opened {
        let (bytes, broken) = match bytes_of(&place.path) {
            Ok(read) => read,
            Err(error) => return Opened { at, broken: None, result: Err(error.to_string()) },
        };
        let name = place.path.to_string_lossy();
        let source = Source { name: &name, start: self.start, assumed: self.assumed.as_ref() };
        let format = match self.format {
            Some(format) => Ok(format),
            None => import::recognise(&bytes),
        };
        let result = format.map(|format| (format, (format.read)(&bytes, &source)));
        // A folder may hold other things than logs: each of them is told about in one line.
        let result = result.map_err(|error| match place.is_named {
            true => error.to_string(),
            false => error.in_short(),
        });
        Opened { at, broken, result }
    }
}

impl Inputs {
    /// What could not be read, for a person: files, and lines by number. The first few of each are
    /// named, the others counted.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let not_read = self.files.iter().filter_map(not_read_because).collect();
        let skipped = self.files.iter().filter_map(skipped_in).collect();
        let mut troubles = the_first(not_read, "not read");
        troubles.extend(the_first(skipped, "with lines skipped"));
        troubles
    }
}

fn the_first(mut notes: Vec<String>, what: &str) -> Vec<String> {
    let more = notes.len().saturating_sub(MOST_NAMED);
    notes.truncate(MOST_NAMED);
    notes.extend((0 < more).then(|| format!("{} {what}", plural(more as u64, "more file"))));
    notes
}

fn not_read_because(file: &Input) -> Option<String> {
    Some(format!("{} was not read: {}", file.path, file.error.as_ref()?))
}

fn skipped_in(file: &Input) -> Option<String> {
    let Input { path, skipped, skipped_lines, .. } = file;
    let SkippedLine { line, why } = skipped.first()?;
    Some(match skipped_lines {
        1 => format!("1 line skipped: {path}:{line}: {why}"),
        count => format!("{count} lines skipped, the first at {path}:{line}: {why}"),
    })
}

/// Puts together what the workers read.
struct Gathering<'e> {
    each: &'e mut dyn FnMut(Entry, Calendar),
    files: Vec<Option<Input>>,
    formats: Vec<&'static Import>,
    /// Calls of formats whose copies are equal.
    seen: FxHashSet<u128>,
    /// Calls of formats whose copies grow, until the largest is known.
    growing: FxHashMap<u128, Entry>,
    repeated: u64,
}

impl<'e> Gathering<'e> {
    fn new(each: &'e mut dyn FnMut(Entry, Calendar), files: usize) -> Gathering<'e> {
        Gathering {
            each,
            files: vec![None; files],
            formats: Vec::new(),
            seen: FxHashSet::default(),
            growing: FxHashMap::default(),
            repeated: 0,
        }
    }

    fn take(&mut self, places: &[Place], opened: &Receiver<Opened>) {
        for Opened { at, broken, result } in opened {
            let path = places[at].path.display().to_string();
            self.files[at] = Some(match result {
                Ok((format, reading)) => self.entries(path, format, reading, broken),
                Err(why) => not_read(path, why),
            });
        }
    }

    fn entries(
        &mut self,
        path: String,
        format: &'static Import,
        reading: Reading,
        broken: Option<String>,
    ) -> Input {
        let Reading { entries, skipped, mut skipped_lines } = reading;
        let mut skipped: Vec<SkippedLine> = skipped
            .into_iter()
            .map(|skipped| SkippedLine { line: skipped.line, why: skipped.why })
            .collect();
        if let Some(why) = broken {
            let line = skipped.last().map_or(0, |last| last.line);
            skipped.push(SkippedLine { line, why });
            skipped_lines += 1;
        }
        if !entries.is_empty() && !self.formats.iter().any(|known| known.name == format.name) {
            self.formats.push(format);
        }
        let calls = entries.len() as u64;
        for entry in entries {
            self.entry(format, entry);
        }
        Input {
            path,
            format: Some(format.name.to_owned()),
            calls,
            skipped_lines,
            skipped,
            error: None,
        }
    }

    fn entry(&mut self, format: &Import, entry: Entry) {
        let key = import::same_call(entry.record.call.id);
        let is_new = match format.repeats {
            Repeats::Never => true,
            Repeats::Copies => self.seen.insert(key),
            Repeats::Growing => {
                let output = |entry: &Entry| entry.record.metering.usage.total_output();
                match self.growing.get_mut(&key) {
                    None => drop(self.growing.insert(key, entry)),
                    Some(known) => {
                        self.repeated += 1;
                        if output(known) < output(&entry) {
                            *known = entry;
                        }
                    }
                }
                return;
            }
        };
        match is_new {
            true => (self.each)(entry, calendar(format)),
            false => self.repeated += 1,
        }
    }

    fn finish(mut self) -> Inputs {
        let mut growing: Vec<Entry> = self.growing.drain().map(|(_, entry)| entry).collect();
        growing.sort_by_key(|entry| (entry.record.call.arrived, entry.record.call.id));
        for entry in growing {
            (self.each)(entry, Calendar::Real);
        }
        self.formats.sort_by_key(|format| format.name);
        let lacks = self.formats.iter().flat_map(|format| format.lacks);
        let mut notes: Vec<String> = lacks.map(|lack| (*lack).to_owned()).collect();
        if 0 < self.repeated {
            notes.push(format!("{} calls stand in several files and count once", self.repeated));
        }
        let has = |clock| self.formats.iter().any(|format| format.clock == clock);
        let mixes_clocks = has(Clock::Calendar) && has(Clock::Relative);
        if mixes_clocks {
            notes.push("some calls have dates, others do not: together they have no period".into());
        }
        let files = self.files.into_iter().flatten().collect();
        Inputs { files, notes, mixes_clocks }
    }
}

fn calendar(format: &Import) -> Calendar {
    match format.clock {
        Clock::Calendar => Calendar::Real,
        Clock::Relative => Calendar::Relative,
    }
}

fn not_read(path: String, why: String) -> Input {
    Input { path, format: None, calls: 0, skipped_lines: 0, skipped: Vec::new(), error: Some(why) }
}

/// Every file in and under `paths`, once each, in a fixed order.
fn find(paths: &[PathBuf]) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for path in paths {
        let is_folder =
            path.as_os_str() != "-" && fs::metadata(path).map_err(named(path))?.is_dir();
        match is_folder {
            true => walk(path, &mut places)?,
            false => places.push(Place { path: path.clone(), is_named: true }),
        }
    }
    let mut seen = FxHashSet::default();
    places.retain(|place| {
        seen.insert(fs::canonicalize(&place.path).unwrap_or_else(|_| place.path.clone()))
    });
    Ok(places)
}

/// Whether there is any file under a folder.
pub(crate) fn holds_files(folder: &Path) -> bool {
    let mut places = Vec::new();
    folder.is_dir() && walk(folder, &mut places).is_ok() && !places.is_empty()
}

/// Files under a folder, sorted by name; hidden ones and links to folders are left alone.
fn walk(folder: &Path, places: &mut Vec<Place>) -> io::Result<()> {
    let mut children = fs::read_dir(folder)
        .map_err(named(folder))?
        .map(|child| child.map(|child| child.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(named(folder))?;
    children.sort();
    for path in children {
        let is_hidden =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let kind = fs::symlink_metadata(&path).map_err(named(&path))?.file_type();
        match kind {
            _ if is_hidden => {}
            _ if kind.is_dir() => walk(&path, places)?,
            _ if kind.is_file() || path.is_file() => places.push(Place { path, is_named: false }),
            _ => {}
        }
    }
    Ok(())
}

fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A file's bytes, decompressed, and why they break off if they do.
fn bytes_of(path: &Path) -> io::Result<(Vec<u8>, Option<String>)> {
    let mut raw = Vec::new();
    match path.as_os_str() == "-" {
        true => io::stdin().lock().take(MOST_BYTES).read_to_end(&mut raw)?,
        false => fs::File::open(path)?.take(MOST_BYTES).read_to_end(&mut raw)?,
    };
    match raw.as_slice() {
        [0x1f, 0x8b, ..] => Ok(decompress("gzip", flate2::read::MultiGzDecoder::new(&raw[..]))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Ok(decompress("zstd", zstd::stream::read::Decoder::with_buffer(&raw[..])?))
        }
        _ => Ok((raw, None)),
    }
}

/// All that can be decompressed: of a file that breaks off, what came before is still worth reading.
fn decompress(kind: &str, decoder: impl Read) -> (Vec<u8>, Option<String>) {
    let mut bytes = Vec::new();
    let broken = match decoder.take(MOST_BYTES).read_to_end(&mut bytes) {
        Ok(read) if read as u64 == MOST_BYTES => Some(format!("larger than {MOST_BYTES} bytes")),
        Ok(_) => None,
        Err(error) => Some(format!("the {kind} data breaks off or goes wrong here: {error}")),
    };
    (bytes, broken)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const LINE: &str =
        r#"{"timestamp": 0, "input_length": 600, "output_length": 9, "hash_ids": [1, 2]}"#;

    fn transcript(output: u64) -> String {
        format!(
            r#"{{"type":"assistant","uuid":"u","timestamp":"2026-03-02T09:00:00Z","message":{{"id":"msg_1","model":"claude-opus-4-5","usage":{{"input_tokens":5,"output_tokens":{output}}}}}}}"#
        )
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// Calls and output tokens of all files together.
    fn read(files: &[(&str, Vec<u8>)]) -> (Inputs, usize, u64) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let reader = Reader::new(None, None, Time::EPOCH);
        let (mut calls, mut output) = (0, 0);
        let inputs = reader
            .read(&[folder.path().to_owned()], &mut |entry, _| {
                calls += 1;
                output += entry.record.metering.usage.total_output();
            })
            .unwrap();
        (inputs, calls, output)
    }

    #[test]
    fn compression_and_format_are_seen_in_the_bytes_whatever_the_name() {
        let zstd = zstd::encode_all(LINE.as_bytes(), 1).unwrap();
        let (inputs, calls, _) = read(&[
            ("a.txt", LINE.into()),
            ("deep/er/b.json", gzip(LINE)),
            ("deep/c", zstd),
            (".hidden", LINE.into()),
        ]);
        assert_eq!((calls, inputs.files.len()), (3, 3));
        assert!(inputs.files.iter().all(|file| file.format.as_deref() == Some("mooncake")));
    }

    #[test]
    fn a_resumed_session_counts_its_calls_once_and_the_fuller_copy_wins() {
        for (first, second) in [(3, 40), (40, 3)] {
            let (inputs, calls, output) = read(&[
                ("a.jsonl", transcript(first).into()),
                ("b.jsonl", transcript(second).into()),
            ]);
            assert_eq!((calls, output), (1, 40));
            let told =
                inputs.notes.iter().any(|note| note.starts_with("1 calls stand in several files"));
            assert!(told, "{:?}", inputs.notes);
        }
    }

    #[test]
    fn what_is_no_log_or_breaks_off_is_told_and_the_rest_is_read() {
        let mut cut = gzip(&format!("{LINE}\n").repeat(5_000));
        cut.truncate(cut.len() - 12);
        let (inputs, calls, _) =
            read(&[("a.gz", cut), ("LICENSE", b"Apache".into()), ("z.jsonl", LINE.into())]);
        assert!(1 < calls, "{calls}");
        let [license, gz, last] = &inputs.files[..] else { panic!("{inputs:?}") };
        let why = "it is none of the known formats (not agent-session: it does not begin with `{`; \
                   not mooncake, scrimp, claude-code: no line is a JSON object)";
        assert_eq!(license.error.as_deref(), Some(why));
        assert!(gz.skipped.iter().any(|line| line.why.contains("gzip")), "{gz:?}");
        assert_eq!((last.calls, last.error.as_ref()), (1, None));
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let reader = Reader::new(None, None, Time::EPOCH);
        let error = reader.read(&["no/such/file".into()], &mut |_, _| ()).unwrap_err();
        assert!(error.to_string().contains("no/such/file"), "{error}");
    }
}
