//! Which of our callers' keys are which of the provider's keys and projects.
//!
//! The provider never sees our digests and we never see its ids. But the report of a key must hold
//! all that was measured of the callers behind it, day by day and model by model; of the keys that
//! do, the one with the least room left is it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use scrimp_core::{Digest, Span};

use super::books::{Books, bare};
use super::report::{Account, Side, day_at};

/// A caller of whom more than this share stands in no report of a key is not behind that key.
const MOST_LACKING: f64 = 0.05;

type Tokens = BTreeMap<(usize, Arc<str>), u64>;

/// Every key here that is one of the provider's; `None`: too much passed here under keys that are
/// none of them, or several at once, for a comparison by keys.
pub(super) fn assign(
    side: &Side,
    books: &Books,
    called: &str,
    offset: Span,
) -> Option<FxHashMap<Digest, Account>> {
    let mut left: BTreeMap<Account, Tokens> = BTreeMap::new();
    for used in &side.used {
        let model = bare(&used.model);
        let tokens = used.usage.input().saturating_add(used.usage.total_output());
        let room = left.entry(used.account.clone()).or_default();
        *room.entry((used.day, model)).or_default() += tokens;
    }
    let mut needs: BTreeMap<Digest, Tokens> = BTreeMap::new();
    for (slot, sums) in books.certain(called) {
        let Some(day) = day_at(&side.days, slot.at + offset) else { continue };
        if !side.days[day].has_tokens {
            continue;
        }
        let tokens = sums.usage.input().saturating_add(sums.usage.total_output());
        let model = books.label_of(slot).model.clone();
        *needs.entry(slot.key).or_default().entry((day, model)).or_default() += tokens;
    }
    let doubted = books.doubts(called).map(|doubt| doubt.slot.key);
    for key in doubted {
        needs.entry(key).or_default();
    }
    let is_only_one = left.len() == 1;
    let mut needs: Vec<(Digest, Tokens)> = needs.into_iter().collect();
    // The largest first: it has the least choice.
    needs.sort_by_key(|(_, tokens)| std::cmp::Reverse(tokens.values().sum::<u64>()));
    let mut found = FxHashMap::default();
    let all: u64 = needs.iter().flat_map(|(_, tokens)| tokens.values()).sum();
    let mut unmatched = 0;
    for (digest, need) in needs {
        let fit = |(_, room): &(&Account, &Tokens)| fit(&need, room);
        let Some((account, room)) = left.iter().min_by_key(fit) else { break };
        let lacking = fit(&(account, room)).0;
        if is_only_one || (!need.is_empty() && is_small(lacking, need.values().sum())) {
            let account = account.clone();
            take(left.get_mut(&account).expect("just found"), &need);
            found.insert(digest, account);
        } else {
            unmatched += need.values().sum::<u64>();
        }
    }
    is_small(unmatched, all).then_some(found)
}

/// What of a need finds no room, then how much room is left beside it.
fn fit(need: &Tokens, room: &Tokens) -> (u64, u64) {
    let (mut lacking, mut spare) = (0_u64, 0_u64);
    for (place, tokens) in need {
        let has = room.get(place).copied().unwrap_or_default();
        lacking = lacking.saturating_add(tokens.saturating_sub(has));
        spare = spare.saturating_add(has.saturating_sub(*tokens));
    }
    (lacking, spare)
}

fn take(room: &mut Tokens, need: &Tokens) {
    for (place, tokens) in need {
        if let Some(has) = room.get_mut(place) {
            *has = has.saturating_sub(*tokens);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn is_small(part: u64, whole: u64) -> bool {
    part as f64 <= MOST_LACKING * whole as f64
}
