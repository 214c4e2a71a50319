//! `OpenAI` from GPT-5.6 on: breakpoints, the callers' own and one that the vendor chooses.
//!
//! Vendor's rules (the `openai` package's own documentation, 3.54.0): mode implicit writes one
//! breakpoint at the end of the newest eligible message and up to the latest three explicit ones,
//! mode explicit up to the latest four explicit ones; without any of them nothing is cached.
//! A match is exact at a breakpoint among the latest 80, without a limit on blocks. What a message
//! of the caller ended with in an earlier request was an implicit breakpoint then, so the ends of
//! all such messages count as breakpoints for matching in implicit mode.

use super::{Caches, Marked, Served, Write, classes};
use crate::ask::{Ask, BreakpointMode, Kind, Level, Life, Prompt};
use crate::dice::Key;
use crate::usage::TrueUsage;

/// Breakpoints that are considered for a match.
const CONSIDERED: usize = 80;
/// Breakpoints that one request writes.
const WRITTEN: usize = 4;

fn life_ms(life: Life) -> u64 {
    match life {
        Life::Short => 30 * 60_000,
        Life::Long => 12 * 60 * 60_000,
    }
}

pub(super) fn serve(
    caches: &mut Caches,
    ask: &Ask,
    scope: Key,
    minimum: u64,
    now_ms: u64,
) -> Served {
    let prompt = &ask.prompt;
    let explicit = explicit(prompt);
    let (candidates, write) = match ask.caching.mode {
        BreakpointMode::Explicit => {
            let places = explicit.iter().map(|mark| mark.place).collect();
            (places, latest(&explicit, WRITTEN))
        }
        BreakpointMode::Implicit => (ends(prompt), implicit(prompt, &explicit, ask.caching.life)),
    };
    if write.is_empty() {
        let usage = TrueUsage { uncached: prompt.tokens(), ..TrueUsage::default() };
        return Served { usage, writes: Vec::new() };
    }
    let keys = prompt.keys(scope);
    let tokens = |place: usize| prompt.pieces[place].tokens_to_here;
    let considered = latest(&candidates, CONSIDERED);
    let hit = considered.into_iter().rfind(|place| caches.alive(keys[*place], now_ms));
    for place in write.iter().map(|mark| mark.place).chain(hit) {
        if Some(place) <= hit && caches.alive(keys[place], now_ms) {
            caches.refresh(keys[place], now_ms);
        }
    }
    let writing = || {
        let after = move |mark: &&Marked| hit < Some(mark.place) && minimum <= tokens(mark.place);
        write.iter().filter(after)
    };
    let usage = classes(
        prompt.tokens(),
        hit.map_or(0, tokens),
        writing().rfind(|mark| mark.life == Life::Long).map(|mark| tokens(mark.place)),
        writing().next_back().map(|mark| tokens(mark.place)),
    );
    let parent = hit.map(|place| keys[place]);
    let writes = writing()
        .map(|mark| Write { key: keys[mark.place], life_ms: life_ms(mark.life), parent })
        .collect();
    Served { usage, writes }
}

/// The last `count` of `all`.
fn latest<T: Copy>(all: &[T], count: usize) -> Vec<T> {
    all[all.len().saturating_sub(count)..].to_vec()
}

fn explicit(prompt: &Prompt) -> Vec<Marked> {
    let pieces = prompt.pieces.iter().enumerate();
    pieces.filter_map(|(place, piece)| Some(Marked { place, life: piece.mark? })).collect()
}

/// Where messages of the caller end, and where the caller put marks.
fn ends(prompt: &Prompt) -> Vec<usize> {
    let places = 0..prompt.pieces.len();
    places
        .filter(|place| {
            let piece = &prompt.pieces[*place];
            piece.mark.is_some() || (piece.last_of_message && eligible(prompt, *place))
        })
        .collect()
}

fn eligible(prompt: &Prompt, place: usize) -> bool {
    let piece = &prompt.pieces[place];
    piece.level == Level::Messages && piece.kind != Kind::Assistant
}

/// The implicit breakpoint and the latest explicit ones, in order.
fn implicit(prompt: &Prompt, explicit: &[Marked], life: Life) -> Vec<Marked> {
    let mut write = latest(explicit, WRITTEN - 1);
    let newest = (0..prompt.pieces.len())
        .rev()
        .find(|place| prompt.pieces[*place].last_of_message && eligible(prompt, *place));
    if let Some(place) = newest
        && write.iter().all(|mark| mark.place != place)
    {
        write.push(Marked { place, life });
        write.sort_by_key(|mark| mark.place);
    }
    write
}
