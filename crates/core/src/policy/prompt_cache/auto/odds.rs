//! How likely a prefix is sent again, and how soon, learnt from the traffic itself.
//!
//! Whether a prompt comes again is seen without marking anything, so watching costs nothing. For each
//! call that went by it is asked of its last few block ends: how long until the next call that shares
//! the prompt up to there? Calls that nobody has continued yet count for as long as they have waited
//! (a life table: Kaplan and Meier, *J. Am. Stat. Assoc.* 53, 1958), so that a burst of one-shot
//! calls is known for one before the first entry would have expired.
//!
//! Classes of calls get sharper from first to last; one that has seen little leans on the one before.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::time::{Span, Time};

/// So many block ends are watched: the last of the prompt and those before it.
pub(super) const ENDS: usize = 4;
/// The classes of a call: see [`super::classes`].
pub(super) type Classes = [u64; 4];

/// Waiting times are told apart at these, in seconds: all lives of entries are among them.
const EDGES: [i64; 12] = [2, 6, 20, 60, 120, 300, 600, 1_200, 1_800, 3_600, 14_400, 43_200];
/// Of waiting calls and of classes, more are not remembered.
const MOST_WAITING: usize = 65_536;
const MOST_CLASSES: usize = 4_096;
/// What is believed of traffic of which nothing was seen: two prompts in five come again within five
/// minutes. That is enough to try, and a few calls are enough to learn better.
const FIRST_HAZARD: f64 = 0.085;
/// And what has come again before meets a pause that outlasts the short life as often as it ends.
const FIRST_HAZARD_KNOWN: f64 = 0.16;
/// What was seen of one stretch is believed of the next, which nobody may have reached yet, a little
/// less.
const FADING: f64 = 0.8;
/// So many calls of one's own weigh as much as the wider class: the first for the belief above.
const LEAN: [f64; 3] = [1.0, 6.0, 12.0];

/// What waits to be sent again.
#[derive(Debug)]
pub(super) struct Odds {
    classes: FxHashMap<u64, Class>,
    waiting: VecDeque<Waiting>,
    /// Number of the first that waits.
    first: u32,
    /// Up to which of them each edge has been passed.
    passed: [u32; EDGES.len()],
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Time,
    classes: Classes,
    /// So many of its last blocks nobody had sent before. Only these tell of their class: what is
    /// known already has a past of its own.
    fresh: u8,
    /// Of how many ends, counted from the earliest watched one, a continuation was seen.
    seen: u8,
    /// That what it had in common with others goes on; `None`: there was nothing.
    known: Option<bool>,
}

/// For each end and each stretch of time: how many waited into it, and how many ended in it.
#[derive(Clone, Copy, Debug, Default)]
struct Class([[Count; EDGES.len()]; ENDS + 1]);

/// Beside the ends: the whole of what had been sent before.
const KNOWN: usize = ENDS;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// So many have waited into it.
    begun: u32,
    /// So many of these wait no more, or have waited through.
    over: u32,
    again: u32,
}

impl Count {
    /// The chance to be sent again in this stretch. Who is in the middle of it counts for half, as
    /// in any life table.
    fn hazard(self, lean: f64, wider: f64) -> f64 {
        let at_risk = f64::from(self.begun + self.over) / 2.0;
        ((f64::from(self.again) + lean * wider) / (at_risk + lean)).min(1.0)
    }
}

/// Chances that a prefix is sent again while an entry lives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Chance {
    /// Within the short life.
    pub(super) short: f64,
    /// Within the long life; as `short` where there is none.
    pub(super) long: f64,
}

impl Chance {
    /// How many pauses between the short life and the long are expected until it ends, if each time
    /// is like the next.
    pub(super) fn pauses(self) -> f64 {
        (self.long - self.short) / (1.0 - self.long).max(0.02)
    }
}

impl Class {
    /// Somebody has waited through a stretch.
    fn pass(&mut self, end: usize, stretch: usize) {
        self.0[end][stretch].over += 1;
        if let Some(next) = self.0[end].get_mut(stretch + 1) {
            next.begun += 1;
        }
    }
}

/// The stretch in which a time lies; `None` beyond the last.
fn stretch_of(waited: Span) -> Option<usize> {
    let stretch = EDGES.partition_point(|edge| Span::from_secs(*edge) < waited);
    (stretch < EDGES.len()).then_some(stretch)
}

impl Default for Odds {
    fn default() -> Odds {
        Odds {
            classes: FxHashMap::default(),
            waiting: VecDeque::new(),
            first: 0,
            passed: [0; EDGES.len()],
        }
    }
}

impl Odds {
    /// A call went by and waits to be continued. Returns its number.
    pub(super) fn wait(
        &mut self,
        classes: Classes,
        fresh: usize,
        has_known: bool,
        now: Time,
    ) -> u32 {
        if MOST_WAITING <= self.waiting.len() {
            self.forget_first();
        }
        if MOST_CLASSES < self.classes.len() {
            self.classes.clear();
        }
        let fresh = fresh.min(ENDS);
        for class in classes {
            let class = self.classes.entry(class).or_default();
            for end in &mut class.0[..fresh] {
                end[0].begun += 1;
            }
            class.0[KNOWN][0].begun += u32::from(has_known);
        }
        let fresh = u8::try_from(fresh).expect("few");
        self.waiting.push_back(Waiting {
            since: now,
            classes,
            fresh,
            seen: 0,
            known: has_known.then_some(false),
        });
        self.first.wrapping_add(u32::try_from(self.waiting.len() - 1).expect("bounded"))
    }

    /// A call shares the prompt of the call `number` but for its last `ends` blocks.
    pub(super) fn again(&mut self, number: u32, ends: usize, now: Time) {
        let place = number.wrapping_sub(self.first) as usize;
        let Some(waiting) = self.waiting.get_mut(place) else { return };
        let seen = usize::from(waiting.seen);
        let now_seen = ENDS - ends.min(ENDS);
        if now_seen <= seen {
            return;
        }
        waiting.seen = u8::try_from(now_seen).expect("few");
        let Waiting { since, classes, fresh, .. } = *waiting;
        let Some(stretch) = stretch_of(now.since(since)) else { return };
        for class in classes {
            let class = self.classes.entry(class).or_default();
            // The ends from `ends` on, but those that were seen before.
            for end in ENDS - now_seen..(ENDS - seen).min(usize::from(fresh)) {
                let count = &mut class.0[end][stretch];
                count.over += 1;
                count.again += 1;
            }
        }
    }

    /// A call shares all that the call `number` had in common with those before it.
    pub(super) fn known_again(&mut self, number: u32, now: Time) {
        let place = number.wrapping_sub(self.first) as usize;
        let Some(waiting) = self.waiting.get_mut(place) else { return };
        if waiting.known != Some(false) {
            return;
        }
        waiting.known = Some(true);
        let Waiting { since, classes, .. } = *waiting;
        if let Some(stretch) = stretch_of(now.since(since)) {
            for class in classes {
                let count = &mut self.classes.entry(class).or_default().0[KNOWN][stretch];
                count.over += 1;
                count.again += 1;
            }
        }
    }

    /// Lets time pass: whoever still waits has waited through another stretch.
    pub(super) fn advance(&mut self, now: Time) {
        for (stretch, edge) in EDGES.iter().enumerate() {
            let edge = Span::from_secs(*edge);
            loop {
                let place = self.passed[stretch].wrapping_sub(self.first) as usize;
                let Some(waiting) = self.waiting.get(place) else { break };
                if now.since(waiting.since) <= edge {
                    break;
                }
                for class in waiting.classes {
                    let class = self.classes.entry(class).or_default();
                    if waiting.known == Some(false) {
                        class.pass(KNOWN, stretch);
                    }
                    let unseen = ENDS - usize::from(waiting.seen);
                    for end in 0..unseen.min(usize::from(waiting.fresh)) {
                        class.pass(end, stretch);
                    }
                }
                self.passed[stretch] = self.passed[stretch].wrapping_add(1);
            }
        }
        while self
            .waiting
            .front()
            .is_some_and(|first| Span::from_secs(EDGES[EDGES.len() - 1]) < now.since(first.since))
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        self.waiting.pop_front();
        self.first = self.first.wrapping_add(1);
        for passed in &mut self.passed {
            // What was forgotten is not waited for.
            let place = passed.wrapping_sub(self.first);
            if place == u32::MAX {
                *passed = self.first;
            }
        }
    }

    /// The chances of each end, from the prompt's last block on backwards, and last of all that of
    /// what had been sent before.
    pub(super) fn chances(
        &self,
        classes: &[u64],
        short: Span,
        long: Option<Span>,
    ) -> [Chance; ENDS + 1] {
        let known = classes.iter().map(|class| self.classes.get(class));
        let known: Vec<Option<&Class>> = known.collect();
        std::array::from_fn(|end| {
            let mut chance = Chance::default();
            let first = if end == KNOWN { FIRST_HAZARD_KNOWN } else { FIRST_HAZARD };
            let (mut waits, mut before) = (1.0, first);
            for (stretch, edge) in EDGES.iter().enumerate() {
                let edge = Span::from_secs(*edge);
                if long.unwrap_or(short) < edge {
                    break;
                }
                let mut hazard = before;
                for (class, lean) in known.iter().zip(LEAN) {
                    let Some(class) = class else { continue };
                    hazard = class.0[end][stretch].hazard(lean, hazard);
                }
                before = first.max(hazard * FADING);
                waits *= 1.0 - hazard;
                if edge <= short {
                    chance.short = 1.0 - waits;
                }
                chance.long = 1.0 - waits;
            }
            chance
        })
    }
}
