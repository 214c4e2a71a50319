//! What the workers read, put together in the order of the files: every call once.
//!
//! The same call may stand in two files of one tool, or in the logs of two tools. It is the same if
//! it has the same name (the provider's for its answer, where logs have it); or, between two tools,
//! if it has the same model and the same tokens, and began within two seconds. The first file's copy
//! counts; a transcript, which says less of a call than a gateway's log, gives way.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rustc_hash::{FxHashMap, FxHashSet};
use scrimp_analysis::profile::Calendar;
use scrimp_analysis::report::{Input, SkippedLine};
use scrimp_core::price::without_date;
use scrimp_core::{Aggregate, Entry, UsageState, hash};
use scrimp_wire::import::{self, Clock, Import, Reading, Repeats};

use super::feed::{Feed, Piece};
use super::{Inputs, Place, records};

/// Two tools' clocks and beginnings of one call differ by less than this.
const SAME_MOMENT_MS: i64 = 2_000;
/// More different names than this are not looked for among others.
const MOST_NAMES: usize = 100_000;
/// So many calls of one moment that are all alike are told apart; more are not compared.
const MOST_ALIKE: u64 = 32;

/// Puts together what the workers read.
pub(super) struct Gathering<'e> {
    each: &'e mut dyn FnMut(Entry, Calendar),
    files: Vec<Input>,
    formats: Vec<&'static Import>,
    /// Calls of those formats whose copies are equal.
    seen: FxHashSet<Seen>,
    /// Calls of formats whose copies grow, until the largest is known.
    growing: FxHashMap<u128, (u8, Box<Entry>)>,
    alike: Alike,
    names: Names,
    aggregates: Vec<Aggregate>,
    repeated: u64,
    in_two_tools: u64,
}

/// Calls by what two tools must agree on: of each, when in its time of [`SAME_MOMENT_MS`] it began,
/// and which tools have it.
#[derive(Default)]
struct Alike(FxHashMap<u64, (u16, u32)>);

const _: () = assert!(import::IMPORTS.len() <= 1 << Seen::FORMAT);

/// A call's name and the number of the first format that has it, in a word: there are millions.
#[derive(Clone, Copy, Debug)]
struct Seen(u64);

impl<'e> Gathering<'e> {
    pub(super) fn new(each: &'e mut dyn FnMut(Entry, Calendar), places: &[Place]) -> Gathering<'e> {
        let file = |place: &Place| Input::new(place.path.display().to_string());
        Gathering {
            each,
            files: places.iter().map(file).collect(),
            formats: Vec::new(),
            seen: FxHashSet::default(),
            growing: FxHashMap::default(),
            alike: Alike::default(),
            names: Names::default(),
            aggregates: Vec::new(),
            repeated: 0,
            in_two_tools: 0,
        }
    }

    /// Takes pieces in their order, whatever the order in which they come.
    pub(super) fn take(
        &mut self,
        pieces: &Receiver<(Piece<'_>, Option<Reading>)>,
        feed: &Feed<'_>,
    ) {
        let (mut early, mut next) = (BTreeMap::new(), 0);
        for (piece, reading) in pieces {
            early.insert(piece.number, (piece, reading));
            while let Some((piece, reading)) = early.remove(&next) {
                self.piece(piece, reading);
                feed.took();
                next += 1;
            }
        }
    }

    /// Takes the gateway's own records. They come first: they say more of a call than any log.
    pub(super) fn records(&mut self, at: usize, place: &Place) {
        let format = import::named("scrimp").expect("a format of our own");
        let number = self.number(format);
        let mut file = self.files[at].clone();
        file.format = Some("scrimp records".to_owned());
        let read = records::read(&place.path, &mut |entry| {
            file.calls += 1;
            file.lacks.see(&entry.record, None);
            self.entry(format, number, entry);
        });
        match read {
            Ok(notes) => file.notes.extend(notes),
            Err(why) => file.error = Some(why),
        }
        self.files[at] = file;
    }

    fn piece(&mut self, piece: Piece<'_>, reading: Option<Reading>) {
        let Piece { at, broken, content, .. } = piece;
        let (content, reading) = match (content, reading) {
            (Ok(content), Some(reading)) => (content, reading),
            (Err(why), _) => {
                self.files[at].error = Some(why);
                return;
            }
            (Ok(_), None) => return,
        };
        let Reading { entries, aggregates, notes, refused, skipped, skipped_lines } = reading;
        let format = content.format;
        let has_calls = !entries.is_empty() || !aggregates.is_empty();
        let file = &mut self.files[at];
        file.format = Some(format.name.to_owned());
        file.error = refused;
        file.calls += entries.len() as u64;
        file.sums += aggregates.len() as u64;
        file.skipped_lines += skipped_lines;
        let skipped =
            skipped.into_iter().map(|skipped| SkippedLine { line: skipped.line, why: skipped.why });
        let room = import::MOST_SKIPPED_SHOWN.saturating_sub(file.skipped.len());
        file.skipped.extend(skipped.take(room));
        if let Some(why) = broken {
            let line = file.skipped.last().map_or(0, |last| last.line);
            file.skipped.push(SkippedLine { line, why });
            file.skipped_lines += 1;
        }
        for note in notes {
            if !file.notes.contains(&note) {
                file.notes.push(note);
            }
        }
        for entry in &entries {
            file.lacks.see(&entry.record, entry.trail.as_ref());
        }
        self.aggregates.extend(aggregates);
        if has_calls {
            let number = self.number(format);
            for entry in entries {
                self.entry(format, number, entry);
            }
        }
    }

    fn number(&mut self, format: &'static Import) -> u8 {
        let known = self.formats.iter().position(|known| known.name == format.name);
        let at = known.unwrap_or_else(|| {
            self.formats.push(format);
            self.formats.len() - 1
        });
        u8::try_from(at).expect("there are fewer formats")
    }

    fn entry(&mut self, format: &Import, number: u8, entry: Entry) {
        match format.repeats {
            Repeats::Growing => self.grow(number, entry),
            Repeats::Never => self.pass(format, number, entry),
            Repeats::Copies => {
                let seen = Seen::new(&entry, number);
                match self.seen.get(&seen) {
                    Some(known) if known.format() == number => self.repeated += 1,
                    Some(_) => self.in_two_tools += 1,
                    None => {
                        self.seen.insert(seen);
                        self.pass(format, number, entry);
                    }
                }
            }
        }
    }

    fn grow(&mut self, number: u8, entry: Entry) {
        let output = |entry: &Entry| entry.record.metering.usage.total_output();
        match self.growing.get_mut(&import::same_call(entry.record.call.id)) {
            None => {
                let name = import::same_call(entry.record.call.id);
                self.growing.insert(name, (number, Box::new(entry)));
            }
            Some((_, known)) => {
                self.repeated += 1;
                if output(known) < output(&entry) {
                    **known = entry;
                }
            }
        }
    }

    fn pass(&mut self, format: &Import, number: u8, mut entry: Entry) {
        if format.clock == Clock::Calendar && self.alike.has(&entry, number) {
            self.in_two_tools += 1;
            return;
        }
        self.names.share(&mut entry);
        (self.each)(entry, calendar(format));
    }

    pub(super) fn finish(mut self) -> Inputs {
        let mut growing: Vec<(u8, Box<Entry>)> =
            std::mem::take(&mut self.growing).into_values().collect();
        growing.sort_by_key(|(_, entry)| (entry.record.call.arrived, entry.record.call.id));
        for (number, entry) in growing {
            match self.seen.contains(&Seen::new(&entry, number)) {
                true => self.in_two_tools += 1,
                false => self.pass(self.formats[usize::from(number)], number, *entry),
            }
        }
        self.formats.sort_by_key(|format| format.name);
        let lacks = self.formats.iter().flat_map(|format| format.lacks);
        let mut notes: Vec<String> = lacks.map(|lack| (*lack).to_owned()).collect();
        for file in &self.files {
            notes.extend(file.notes.iter().map(|note| format!("{}: {note}", file.path)));
        }
        if 0 < self.repeated {
            notes.push(format!("{} calls stand in several files and count once", self.repeated));
        }
        if 0 < self.in_two_tools {
            notes.push(format!(
                "{} calls stand in the logs of two tools and count once: the answer's name is the \
                 same, or model, tokens and time (within 2 s) are",
                self.in_two_tools
            ));
        }
        let has = |clock| self.formats.iter().any(|format| format.clock == clock);
        let mixes_clocks = has(Clock::Calendar) && has(Clock::Relative);
        if mixes_clocks {
            notes.push("some calls have dates, others do not: together they have no period".into());
        }
        Inputs { files: self.files, aggregates: self.aggregates, notes, mixes_clocks }
    }
}

impl Seen {
    /// Bits for the format's number.
    const FORMAT: u32 = 5;

    fn new(entry: &Entry, format: u8) -> Seen {
        let name = import::same_call(entry.record.call.id);
        let name = u64::try_from(name & u128::from(u64::MAX)).expect("64 bits");
        Seen(name << Seen::FORMAT | u64::from(format))
    }

    /// Long enough that no two names of millions meet.
    fn name(self) -> u64 {
        self.0 >> Seen::FORMAT
    }

    fn format(self) -> u8 {
        u8::try_from(self.0 & ((1 << Seen::FORMAT) - 1)).expect("a few bits")
    }
}

/// Whatever the format.
impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Seen {}

impl Hash for Seen {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// Names that many calls have: each is kept once.
#[derive(Default)]
struct Names(FxHashSet<Arc<str>>);

impl Names {
    fn share(&mut self, entry: &mut Entry) {
        let Some(call) = Arc::get_mut(&mut entry.record.call) else { return };
        for name in [&mut call.provider, &mut call.model, &mut call.operation] {
            self.one(name);
        }
        for (name, value) in &mut call.caller.tags {
            self.one(name);
            self.one(value);
        }
        for attempt in &mut entry.record.attempts {
            self.one(&mut attempt.provider);
            self.one(&mut attempt.model);
        }
    }

    fn one(&mut self, name: &mut Arc<str>) {
        match self.0.get(&**name) {
            Some(known) => *name = known.clone(),
            None if self.0.len() < MOST_NAMES => {
                self.0.insert(name.clone());
            }
            None => {}
        }
    }
}

impl Alike {
    /// Whether another tool's log had this call; each of its calls is met once by each other tool.
    fn has(&mut self, entry: &Entry, number: u8) -> bool {
        let record = &entry.record;
        let usage = &record.metering.usage;
        if record.metering.state != UsageState::Measured || usage.total_output() == 0 {
            return false;
        }
        let tokens = hash::chain(usage.input(), usage.total_output());
        // One tool has the name that was asked for, the other the one that answered.
        let model = &*record.call.model;
        let what = hash::chain(hash::text(without_date(model).unwrap_or(model)), tokens);
        let at = record.call.arrived.millis();
        let bucket = at.div_euclid(SAME_MOMENT_MS);
        let own = 1_u32 << (number % 32);
        let slots = |bucket: i64| {
            let first = hash::chain(what, bucket.unsigned_abs());
            (0..MOST_ALIKE).map(move |more| first.wrapping_add(more))
        };
        for bucket in [bucket, bucket - 1, bucket + 1] {
            for slot in slots(bucket) {
                let Some((known, tools)) = self.0.get_mut(&slot) else { break };
                let known = bucket * SAME_MOMENT_MS + i64::from(*known);
                if *tools & own == 0 && (at - known).abs() <= SAME_MOMENT_MS {
                    *tools |= own;
                    return true;
                }
            }
        }
        if let Some(vacant) = slots(bucket).find(|slot| !self.0.contains_key(slot)) {
            let within = u16::try_from(at.rem_euclid(SAME_MOMENT_MS)).expect("two seconds");
            self.0.insert(vacant, (within, own));
        }
        false
    }
}

fn calendar(format: &Import) -> Calendar {
    match format.clock {
        Clock::Calendar => Calendar::Real,
        Clock::Relative => Calendar::Relative,
    }
}
