//! What it takes to find a caller's virtual key among many: hashing its text, finding it, and asking
//! whether it is good and may call a model. `cargo xtask bench keys [KEYS]`.

#![expect(clippy::print_stdout, reason = "it is what this is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scrimp_core::{KeyRing, Time, VirtualKey, hash};
use scrimp_server::keys;

const NOW: Time = Time::from_secs(1_790_000_000);
const ROUNDS: usize = 11;

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let texts: Vec<String> = (0..count).map(text).collect();
    let began = Instant::now();
    let ring: KeyRing = texts.iter().map(|text| key(text)).collect();
    println!("{count} keys; the table was made in {:.0?}", began.elapsed());
    let order: Vec<&str> = shuffled(&texts);
    let hashed = rounds(&order, |text| keys::hash(text.as_bytes()).0[0] == 0);
    println!("its hash alone:                      {hashed}");
    let found = rounds(&order, |text| ring.find(&keys::hash(text.as_bytes())).is_some());
    println!("found:                               {found}");
    let known = rounds(&order, |text| is_let_in(&ring, text));
    println!("found, good, and for this model:     {known}");
    let strangers: Vec<String> = (count..2 * count).map(text).collect();
    let strangers = shuffled(&strangers);
    let unknown = rounds(&strangers, |text| ring.find(&keys::hash(text.as_bytes())).is_some());
    println!("looked for and not there:            {unknown}");
    let mut singles: Vec<Duration> = order.iter().map(|text| single(&ring, text)).collect();
    singles.sort_unstable();
    let at = |share: usize| singles[(singles.len() - 1) * share / 1_000];
    let (median, p99, most) = (at(500), at(990), at(999));
    println!("one by one: {median:?} (median), {p99:?} (p99), {most:?} (p99.9)");
}

/// All that is asked of a key at the door.
fn is_let_in(ring: &KeyRing, text: &str) -> bool {
    let key = ring.find(&keys::hash(text.as_bytes())).expect("it is there");
    key.check(NOW).and_then(|()| key.check_model("openai", "gpt-4o")).is_ok()
}

/// A text of a key's length, the same in each run.
fn text(n: u64) -> String {
    let word = |k: u64| hash::mix(hash::mix(n) ^ k);
    format!(
        "sk-scrimp-{:012x}-{:016x}{:016x}{:011x}",
        word(0) >> 16,
        word(1),
        word(2),
        word(3) >> 20
    )
}

fn key(text: &str) -> VirtualKey {
    VirtualKey {
        id: text["sk-scrimp-".len()..][..12].into(),
        name: None,
        hash: keys::hash(text.as_bytes()),
        models: vec!["claude-*".into(), "openai/gpt-*".into()],
        expires: Some(Time::NEVER),
        team: Some(Arc::from("search")),
        tags: Vec::new(),
        created: NOW,
        revoked: None,
    }
}

/// In an order in which no key is near the one before it.
fn shuffled(texts: &[String]) -> Vec<&str> {
    let mut order: Vec<&str> = texts.iter().map(String::as_str).collect();
    order.sort_by_cached_key(|text| hash::text(text));
    order
}

/// The median and the range of rounds over all texts, for each text.
fn rounds(texts: &[&str], look_up: impl Fn(&str) -> bool) -> String {
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for text in texts {
                black_box(look_up(black_box(text)));
            }
            began.elapsed() / u32::try_from(texts.len()).unwrap_or(u32::MAX)
        })
        .collect();
    took.sort_unstable();
    format!("{:?} ({:?}–{:?})", took[ROUNDS / 2], took[0], took[ROUNDS - 1])
}

fn single(ring: &KeyRing, text: &str) -> Duration {
    let began = Instant::now();
    black_box(is_let_in(ring, black_box(text)));
    began.elapsed()
}
