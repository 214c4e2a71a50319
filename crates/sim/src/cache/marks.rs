//! Anthropic: entries only at marks, found again from marks.
//!
//! Vendor's rules (platform.claude.com, prompt caching; autumn 2026): an entry is the exact prefix
//! up to a marked block; a mark looks for one at itself and at the blocks before it, 20 positions
//! in all; a read begins the life anew; prefixes under the model's minimum are not written and
//! nobody is told; of a request with both lives, A is the highest hit, B the last one-hour mark
//! after it, C the last mark: read A, one-hour write B − A, five-minute write C − B.

use super::{Caches, Marked, Served, Write, classes};
use crate::ask::{Life, Prompt};
use crate::dice::Key;

/// Positions that a mark looks at, itself the first.
const LOOK_BACK: usize = 20;

fn life_ms(life: Life) -> u64 {
    match life {
        Life::Short => 5 * 60_000,
        Life::Long => 60 * 60_000,
    }
}

pub(super) fn serve(
    caches: &mut Caches,
    prompt: &Prompt,
    scope: Key,
    minimum: u64,
    now_ms: u64,
) -> Served {
    let marks = marks(prompt);
    let keys = match marks.is_empty() {
        true => Vec::new(),
        false => prompt.keys(scope),
    };
    let tokens = |place: usize| prompt.pieces[place].tokens_to_here;
    let hit = marks.iter().filter_map(|mark| look_back(caches, &keys, mark.place, now_ms)).max();
    let read = hit.map_or(0, tokens);
    for place in marks.iter().map(|mark| mark.place).chain(hit) {
        if Some(place) <= hit && caches.alive(keys[place], now_ms) {
            caches.refresh(keys[place], now_ms);
        }
    }
    let writing: Vec<Marked> = marks
        .into_iter()
        .filter(|mark| hit < Some(mark.place) && minimum <= tokens(mark.place))
        .collect();
    let last_long = writing.iter().rfind(|mark| mark.life == Life::Long);
    let usage = classes(
        prompt.tokens(),
        read,
        last_long.map(|mark| tokens(mark.place)),
        writing.last().map(|mark| tokens(mark.place)),
    );
    let writes = writing.iter().scan(hit.map(|place| keys[place]), |parent, mark| {
        let key = keys[mark.place];
        let write = Write { key, life_ms: life_ms(mark.life), parent: *parent };
        *parent = Some(key);
        Some(write)
    });
    Served { usage, writes: writes.collect() }
}

fn marks(prompt: &Prompt) -> Vec<Marked> {
    let pieces = prompt.pieces.iter().enumerate();
    pieces.filter_map(|(place, piece)| Some(Marked { place, life: piece.mark? })).collect()
}

/// The nearest entry at `place` or before it.
fn look_back(caches: &Caches, keys: &[Key], place: usize, now_ms: u64) -> Option<usize> {
    let first = (place + 1).saturating_sub(LOOK_BACK);
    (first..=place).rev().find(|place| caches.alive(keys[*place], now_ms))
}
