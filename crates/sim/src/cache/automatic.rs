//! `OpenAI` before GPT-5.6: automatic, at whole steps of 128 tokens from 1,024 on, for as long as
//! it is used within five to ten minutes. Writing is free, and nothing is promised.

use super::{Caches, Served, Write, classes, drawn_life};
use crate::ask::Prompt;
use crate::dice::{Key, key_of};
use crate::tokens;

const STEP: u64 = 128;
const SHORTEST_IDLE_MS: u64 = 5 * 60_000;
const LONGEST_IDLE_MS: u64 = 10 * 60_000;

pub(super) fn serve(
    caches: &mut Caches,
    prompt: &Prompt,
    scope: Key,
    minimum: u64,
    now_ms: u64,
) -> Served {
    if prompt.tokens() < minimum {
        let usage = classes(prompt.tokens(), 0, None, None);
        return Served { usage, writes: Vec::new() };
    }
    let steps: Vec<(u64, Key)> =
        steps(prompt, scope).into_iter().filter(|(count, _)| minimum <= *count).collect();
    let hit = steps.iter().rposition(|(_, key)| caches.alive(*key, now_ms));
    let covered = hit.map_or(0, |place| place + 1);
    for (_, key) in &steps[..covered] {
        caches.refresh(*key, now_ms);
    }
    let read = hit.map_or(0, |place| steps[place].0);
    let seed = caches.seed;
    let writes = steps[covered..]
        .iter()
        .map(|(_, key)| Write {
            key: *key,
            life_ms: drawn_life(seed, *key, SHORTEST_IDLE_MS, LONGEST_IDLE_MS),
            parent: None,
        })
        .collect();
    Served { usage: classes(prompt.tokens(), read, None, None), writes }
}

/// The key of the prefix at each whole step, with the tokens up to it.
fn steps(prompt: &Prompt, scope: Key) -> Vec<(u64, Key)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&scope.to_le_bytes());
    let mut steps: Vec<(u64, Key)> = Vec::new();
    let mut before = 0;
    for (place, piece) in prompt.pieces.iter().enumerate() {
        let text = prompt.text(place);
        let mut start = 0;
        for (end, tokens) in tokens::cuts(text, before, STEP) {
            hasher.update(&text[start..end]);
            steps.push((tokens, key_of(&hasher)));
            start = end;
        }
        hasher.update(&text[start..]);
        // Pictures and frames come at a piece's end, and may step over a boundary.
        let boundary = piece.tokens_to_here / STEP * STEP;
        if steps.last().map_or(0, |(tokens, _)| *tokens) < boundary {
            steps.push((boundary, key_of(&hasher)));
        }
        before = piece.tokens_to_here;
    }
    steps
}
