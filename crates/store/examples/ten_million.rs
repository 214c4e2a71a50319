//! How long each question that a screen asks takes over millions of calls.
//!
//! `cargo run --release -p scrimp-store --example ten_million -- [CALLS] [DIRECTORY]` fills a store
//! with calls spread evenly over the last 30 days, through the same door as a gateway, and times
//! each question afterwards. The directory is kept if it is named, and used again if it is full.
//!
//! Beside what is common, one call in 5,000 is of an operation and another of a model that nothing
//! else is of, and the calls of one model, a fifth of all, fail once in 5,000.

#![expect(clippy::print_stdout, reason = "it is a program for people")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "for display")]

#[path = "../src/fixture.rs"]
mod fixture;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use scrimp_core::{Call, CallId, Digest, Ending, Record, Span, Time, hash};
use scrimp_store::{CallFilter, Dimension, Only, Options, Reader, Store, Width};

const DAYS: i64 = 30;
/// One call in so many is rare.
const RARE: u64 = 5_000;
// Between the common names in the alphabet, so that a range of names does not tell that they are
// absent.
const RARE_OPERATION: &str = "draft-contract";
const RARE_MODEL: &str = "gemini-5-flash";
/// The model that a fifth of all calls go to and that hardly ever fails.
const STEADY_MODEL: &str = "deepseek-6-chat";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let calls: u64 = arguments.next().map_or(1_000_000, |n| n.parse().expect("a number of calls"));
    let named = arguments.next();
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = named.as_ref().map_or(temporary.path(), Path::new);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = Time::from_secs(since.as_secs().cast_signed());
    let opened = Instant::now();
    let store = Store::open(dir, Options::STANDARD).expect("the store opens");
    println!("open: {:?}", opened.elapsed());
    if store.reader().recent(&CallFilter::latest(1)).expect("a list").is_empty() {
        fill(&store, calls, now);
    }
    println!("on disk: {} MB", directory_mb(dir));
    store.close().expect("the store closes");
    let opened = Instant::now();
    let store = Store::open(dir, Options::STANDARD).expect("the store opens again");
    println!("open again: {:?}", opened.elapsed());
    ask(&store.reader(), now);
}

/// Settles the calls as fast as the disk takes them.
fn fill(store: &Store, calls: u64, now: Time) {
    let templates: Vec<Record> = (0..3_000).map(fixture::turn).collect();
    let step = Span::from_hours(24 * DAYS).nanos() / calls.cast_signed().max(1);
    let start = now - Span::from_nanos(step * calls.cast_signed());
    let begun = Instant::now();
    let (mut settling, mut worst) = (Duration::ZERO, Duration::ZERO);
    for n in 0..calls {
        let at = start + Span::from_nanos(step * n.cast_signed());
        let record = Arc::new(renamed(&templates[n as usize % templates.len()], n, at));
        let before = Instant::now();
        store.settle(record);
        let took = before.elapsed();
        settling += took;
        worst = worst.max(took);
        // As often as a busy gateway, so that nothing is dropped.
        if n % 1_024 == 1_023 {
            store.flush();
        }
    }
    store.flush();
    let (took, health) = (begun.elapsed(), store.health());
    println!("filled with {calls} calls in {took:.1?}: {:.1} µs each", micros(took) / calls as f64);
    println!("settle: mean {:.2} µs, worst {worst:?}", micros(settling) / calls as f64);
    println!("dropped {}, hot {}", health.details_dropped, health.hot_records);
    let sealing = Instant::now();
    store.seal().expect("sealed");
    println!("seal of the rest: {:.1?}", sealing.elapsed());
}

fn renamed(template: &Record, n: u64, at: Time) -> Record {
    let id = CallId(u128::from(at.nanos().cast_unsigned()) << 64 | u128::from(hash::mix(n)));
    let mut call = Call { id, arrived: at, ..(*template.call).clone() };
    // As agents do: a session of 40 calls, of one of 30 teams.
    let session = hash::mix(n / 40);
    call.caller.session = Some(Digest((u128::from(session) << 64).to_be_bytes()));
    call.caller.tags = vec![("team".into(), format!("team-{}", session % 30).into())];
    let mut ending = template.ending.clone();
    // There are 50 conversations in turn: this is ten whole ones.
    if n % 5 == 2 {
        call.model = STEADY_MODEL.into();
        // Once in 5,000 of its own calls.
        let status = if n % (5 * RARE) == 4_002 { 529 } else { 200 };
        ending = Ending::Answered { status, finish: Some("stop".into()) };
    }
    match n % RARE {
        1_230 => call.operation = RARE_OPERATION.into(),
        3_456 => call.model = RARE_MODEL.into(),
        _ => {}
    }
    Record { call: Arc::new(call), ending, ..template.clone() }
}

fn ask(reader: &Reader, now: Time) {
    let windows = [
        ("1h of minutes", Span::from_hours(1), Width::Minute),
        ("24h of minutes", Span::from_hours(24), Width::Minute),
        ("24h of hours", Span::from_hours(24), Width::Hour),
        ("7d of hours", Span::from_hours(7 * 24), Width::Hour),
        ("30d of hours", Span::from_hours(30 * 24), Width::Hour),
        ("30d of days", Span::from_hours(30 * 24), Width::Day),
    ];
    for (name, span, width) in windows {
        timed(&format!("cells {name}"), || {
            reader.cells(now - span, now, width).expect("cells").len()
        });
    }
    timed("ledger 30d", || reader.ledger(now - Span::from_hours(720), now).expect("rows").len());
    for (name, of) in [("session", Dimension::Session), ("team", Dimension::Tag("team".into()))] {
        timed(&format!("30d by {name}"), || {
            let found = reader.allocation(Some(&of), now - Span::from_hours(720), now);
            found.expect("rows").1.rows().count()
        });
    }
    timed("units", || reader.units(7).expect("units").len());
    timed("recent 100", || reader.recent(&CallFilter::latest(100)).expect("a list").len());
    let errors = CallFilter { only: Only::Errors, ..CallFilter::latest(100) };
    timed("recent 100 errors", || reader.recent(&errors).expect("a list").len());
    let old = now - Span::from_hours(24 * 15);
    let before = Some(CallId(u128::from(old.nanos().cast_unsigned()) << 64));
    let page = CallFilter { before, ..CallFilter::latest(100) };
    timed("a page of 100 from 15 days ago", || reader.recent(&page).expect("a list").len());
    let found = reader.recent(&page).expect("a list");
    let id = found.first().expect("a call").call.id;
    timed("call by id, sealed 15 days ago", || {
        usize::from(reader.call(id).expect("read").is_some())
    });
    timed("call by id, unknown", || usize::from(reader.call(CallId(1)).expect("read").is_some()));
    timed("scan of one hour", || reader.scan(old, old + Span::from_hours(1)).count());
    ask_for_the_rare(reader, before);
}

fn ask_for_the_rare(reader: &Reader, before: Option<CallId>) {
    let latest = || CallFilter::latest(100);
    let of_model = |model: &str| CallFilter { model: Some(model.into()), ..latest() };
    let filters = [
        ("a rare operation", CallFilter { operation: Some(RARE_OPERATION.into()), ..latest() }),
        ("a rare model", of_model(RARE_MODEL)),
        ("rare errors of a model", CallFilter { only: Only::Errors, ..of_model(STEADY_MODEL) }),
        ("an unknown model", of_model("ernie-7")),
    ];
    for (name, filter) in filters {
        timed(&format!("recent 100 of {name}"), || reader.recent(&filter).expect("a list").len());
        let page = CallFilter { before, ..filter };
        timed(&format!("a page of {name} from 15 days ago"), || {
            reader.recent(&page).expect("a list").len()
        });
    }
}

/// The median of five.
fn timed(name: &str, question: impl Fn() -> usize) {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            black_box(question());
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!("{name}: {:.1} ms, {} results", micros(times[2]) / 1e3, question());
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn directory_mb(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).expect("the directory").flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => directory_mb(&entry.path()) << 20,
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum::<u64>() >> 20
}
