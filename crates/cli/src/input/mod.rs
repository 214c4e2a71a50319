//! Files of logs: found, opened, decompressed, recognised and read, several at a time.
//!
//! A folder may be larger than the machine, and so may a file: what is written line by line is read
//! piece by piece, and each piece is handed on before many others are read. A file that cannot be
//! read is told about, with the reason, and the others go on. Compression and format are recognised
//! by content, never by name.

mod feed;
mod gather;
pub(crate) mod records;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use rustc_hash::FxHashSet;
use scrimp_analysis::profile::Calendar;
use scrimp_analysis::report::{Input, SkippedLine, plural};
use scrimp_core::{Aggregate, Entry, Time};
use scrimp_wire::import::{Assumed, Columns, Import, Source};

pub(crate) use feed::open;
use feed::{Content, Feed, Piece};
use gather::Gathering;

/// Of the files with troubles, so many are named.
const MOST_NAMED: usize = 5;

/// What the user says about the files.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The format; `None`: recognised.
    pub(crate) format: Option<&'static Import>,
    /// Which columns of a table hold what.
    pub(crate) columns: Option<Columns>,
    /// Whose calls those are that name no model.
    pub(crate) assumed: Option<Assumed>,
    /// When logs with relative times are taken to have begun.
    pub(crate) start: Time,
}

/// What was read, beside the calls themselves.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Every file, in order.
    pub(crate) files: Vec<Input>,
    /// Sums that providers report.
    pub(crate) aggregates: Vec<Aggregate>,
    /// What the formats do not say and what follows from it.
    pub(crate) notes: Vec<String>,
    /// Some calls have dates, others only times since the beginning of their file.
    pub(crate) mixes_clocks: bool,
}

/// A file to read, or a folder of the gateway's own records.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    /// Whether the user named it: then the reason why it is not read may be long.
    is_named: bool,
    is_records: bool,
}

impl Reader {
    /// Reads every file in and under `paths` (`-`: standard input). `each` gets every call once, in
    /// the order of the files but for transcripts, with what its times are counted from.
    ///
    /// # Errors
    /// If a named path cannot be listed. A file that cannot be read is told about in the result.
    pub(crate) fn read(
        &self,
        paths: &[PathBuf],
        each: &mut dyn FnMut(Entry, Calendar),
    ) -> io::Result<Inputs> {
        let places = find(paths)?;
        let mut gathering = Gathering::new(each, &places);
        for (at, place) in places.iter().enumerate().filter(|(_, place)| place.is_records) {
            gathering.records(at, place);
        }
        let feed = Feed::new(&places, self.format, self.columns.as_ref());
        let workers = thread::available_parallelism().map_or(2, usize::from);
        thread::scope(|scope| {
            let (out, pieces) = channel();
            for _ in 0..workers {
                let (out, feed) = (out.clone(), &feed);
                scope.spawn(move || {
                    while let Some(piece) = feed.next() {
                        // Nobody listens any more: the others stop, too.
                        if out.send(self.work(piece)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(out);
            gathering.take(&pieces, &feed);
        });
        Ok(gathering.finish())
    }

    fn work<'p>(&self, piece: Piece<'p>) -> (Piece<'p>, Option<scrimp_wire::import::Reading>) {
        let name = piece.place.path.to_string_lossy();
        let reading = match &piece.content {
            Err(_) => None,
            Ok(Content { format, bytes, lines_before }) => Some((format.read)(
                bytes,
                &Source {
                    assumed: self.assumed.as_ref(),
                    lines_before: *lines_before,
                    columns: self.columns.as_ref(),
                    ..Source::new(&name, self.start)
                },
            )),
        };
        (piece.without_bytes(), reading)
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

/// What files lack for a replay, for a person: where most of a file's calls lack it, files of one
/// format that lack the same together. `--json` has the counts of each.
pub(crate) fn lacking(files: &[Input]) -> Vec<String> {
    let mut groups: Vec<(&str, String, &str, u64)> = Vec::new();
    for Input { path, format, calls, lacks, .. } in files {
        let what = lacks.most(*calls).join(", ");
        let format = format.as_deref().unwrap_or_default();
        if what.is_empty() {
            continue;
        }
        let is_same = |group: &&mut (&str, String, &str, u64)| group.0 == format && group.1 == what;
        match groups.iter_mut().find(is_same) {
            Some((.., more)) => *more += 1,
            None => groups.push((format, what, path, 0)),
        }
    }
    let sentence = |(format, what, path, more): (&str, String, &str, u64)| match more {
        0 => format!("{path} lacks {what}"),
        _ => format!("{path} and {} lack {what}", plural(more, &format!("more {format} file"))),
    };
    the_first(groups.into_iter().map(sentence).collect(), "that lack something")
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

/// Every file in and under `paths`, once each, in a fixed order.
fn find(paths: &[PathBuf]) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for path in paths {
        let is_folder =
            path.as_os_str() != "-" && fs::metadata(path).map_err(named(path))?.is_dir();
        match is_folder {
            true => walk(path, &mut places)?,
            false => {
                places.push(Place { path: path.clone(), is_named: true, is_records: false });
            }
        }
    }
    let mut seen = FxHashSet::default();
    places.retain(|place| {
        seen.insert(fs::canonicalize(&place.path).unwrap_or_else(|_| place.path.clone()))
    });
    Ok(places)
}

/// Every file in and under `paths`, once each, in a fixed order.
pub(crate) fn files(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    Ok(find(paths)?.into_iter().map(|place| place.path).collect())
}

/// Whether there is any file under a folder.
pub(crate) fn holds_files(folder: &Path) -> bool {
    let mut places = Vec::new();
    folder.is_dir() && walk(folder, &mut places).is_ok() && !places.is_empty()
}

/// Files under a folder, sorted by name; hidden ones and links to folders are left alone. A gateway's
/// data is one place.
fn walk(folder: &Path, places: &mut Vec<Place>) -> io::Result<()> {
    if records::is_data(folder) {
        places.push(Place { path: folder.to_owned(), is_named: true, is_records: true });
        return Ok(());
    }
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
            _ if kind.is_file() || path.is_file() => {
                places.push(Place { path, is_named: false, is_records: false });
            }
            _ => {}
        }
    }
    Ok(())
}

fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
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
        let reader = Reader { format: None, columns: None, assumed: None, start: Time::EPOCH };
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
        let why = "it is none of the known formats (name the file itself to see why)";
        assert_eq!(license.error.as_deref(), Some(why));
        assert!(gz.skipped.iter().any(|line| line.why.contains("gzip")), "{gz:?}");
        assert_eq!((last.calls, last.error.as_ref()), (1, None));
    }

    fn litellm(id: &str, second: u32) -> String {
        format!(
            r#"{{"request_id":"{id}","call_type":"acompletion","spend":0.5,"startTime":"2026-03-02 09:00:{second:02}","model":"gpt-4o","custom_llm_provider":"openai","prompt_tokens":900,"completion_tokens":41}}"#
        )
    }

    fn helicone(id: &str, second: u32) -> String {
        format!(
            r#"{{"response_id":"{id}","request_created_at":"2026-03-02T09:00:{second:02}.8Z","response_status":200,"model":"gpt-4o","provider":"OPENAI","prompt_tokens":900,"completion_tokens":41}}"#
        )
    }

    #[test]
    fn a_call_in_two_tools_logs_counts_once() {
        // By the answer's name, whatever the clocks say; by what was used, where the names differ.
        for (theirs, second) in [("chatcmpl-1", 40), ("other", 1)] {
            let (inputs, calls, output) = read(&[
                ("a.jsonl", litellm("chatcmpl-1", 0).into()),
                ("b.jsonl", helicone(theirs, second).into()),
            ]);
            assert_eq!((calls, output), (1, 41), "{theirs}");
            let told = |note: &String| note.contains("stand in the logs of two tools");
            assert!(inputs.notes.iter().any(told), "{:?}", inputs.notes);
        }
        // One tool has the model asked for, the other the one that answered.
        let dated = helicone("z", 1).replace("gpt-4o", "gpt-4o-2024-08-06");
        assert_eq!(read(&[("a", litellm("x", 0).into()), ("b", dated.into())]).1, 1);
        // Alike in one tool's log, or later: two calls.
        let two = format!("{}\n{}", litellm("x", 0), litellm("y", 0));
        assert_eq!(read(&[("a", two.clone().into())]).1, 2);
        assert_eq!(read(&[("a", two.into()), ("b", helicone("z", 1).into())]).1, 2);
        assert_eq!(read(&[("a", litellm("x", 0).into()), ("b", helicone("z", 9).into())]).1, 2);
    }

    #[test]
    fn a_long_file_is_read_in_pieces_as_if_it_were_one() {
        let header = "time,model,input,output,id,operation\n";
        let row = |at: usize| match at % 1_000 {
            7 => "broken\n".to_owned(),
            _ => format!(
                "2026-03-02 09:00:00,gpt-4o,{at},1,r{at},\"a \"\"b\"\"\n{}\"\n",
                "x".repeat(60)
            ),
        };
        let table = header.to_owned() + &(0..60_000).map(row).collect::<String>();
        assert!(4 << 20 < table.len());
        let lines: String = (0..60_000).map(|at| litellm(&format!("l{at}"), 0) + "\n").collect();
        let (inputs, calls, output) =
            read(&[("a.csv", table.into()), ("b.jsonl.gz", gzip(&(lines + "{\"cut\n")))]);
        assert_eq!((calls, output), (59_940 + 60_000, 59_940 + 60_000 * 41));
        let [table, lines] = &inputs.files[..] else { panic!("{inputs:?}") };
        assert_eq!((table.calls, table.skipped_lines), (59_940, 60));
        // Two lines each but for the broken ones, of which there were 59 before the last.
        assert_eq!(table.skipped.last().map(|last| last.line), Some(2 + 59_007 * 2 - 59));
        assert_eq!(lines.skipped.first().map(|first| first.line), Some(60_001));
    }

    #[test]
    fn what_a_file_lacks_is_said_of_each() {
        let (inputs, ..) = read(&[("a.jsonl", LINE.into()), ("b.jsonl", litellm("x", 0).into())]);
        let lacking = lacking(&inputs.files);
        let lacks = |at: usize| lacking[at].rsplit_once(".jsonl ").unwrap().1.to_owned();
        assert_eq!(lacks(0), "lacks all latencies, all models");
        assert_eq!(lacks(1), "lacks all prompts, all latencies");
    }

    #[test]
    fn a_providers_report_is_no_call() {
        let bucket = r#"{"data":[{"start_time":1772409600,"end_time":1772496000,"results":[{"input_tokens":5,"output_tokens":1,"num_model_requests":2}]}],"has_more":true}"#;
        let (inputs, calls, _) = read(&[("usage.json", bucket.into())]);
        assert_eq!((calls, inputs.aggregates.len(), inputs.files[0].sums), (0, 1, 1));
        assert!(inputs.notes.iter().any(|note| note.contains("more pages")), "{:?}", inputs.notes);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let reader = Reader { format: None, columns: None, assumed: None, start: Time::EPOCH };
        let error = reader.read(&["no/such/file".into()], &mut |_, _| ()).unwrap_err();
        assert!(error.to_string().contains("no/such/file"), "{error}");
    }
}
