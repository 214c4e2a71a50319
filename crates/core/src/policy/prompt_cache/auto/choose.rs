//! Which marks are worth their price.
//!
//! A prompt is cut into pieces at the block ends where a mark may stand. Writing a piece costs its
//! premium now; when the prefix is sent again in time, the piece is read instead of being written
//! again. If it is known to be worth it once, it is worth it the next time too, so what a read saves
//! is the price of another write: a piece is written when `P (w - r) > w - 1`, with the chance `P`
//! that it is sent again while it lives, the price `w` of a write and `r` of a read, in parts of
//! plain input. Marks between the last one and what is read cost nothing, as the tokens are written
//! anyway; they only use up places.

use super::super::{Because, Reason};
use super::odds::Chance;
use crate::call::Ttl;

/// Prices of input in parts of plain input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prices {
    pub(super) read: f64,
    pub(super) short: f64,
    /// `None`: there is no long life.
    pub(super) long: Option<f64>,
}

/// What is believed of the provider, learnt from its usage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    /// The chance that a long mark gives its life to all that it covers.
    pub(super) covers: f64,
    /// The same for what other conversations share, with which nothing is tried.
    pub(super) covers_shared: f64,
    /// The chance that what should be there is.
    pub(super) held: f64,
}

/// What would be written between one block end and the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// Index of the block at whose end it ends.
    pub(super) block: usize,
    pub(super) tokens: f64,
    /// That it is sent again.
    pub(super) chance: Chance,
    /// How often what goes on at all pauses for longer than the short life and not the long, until
    /// it ends.
    pub(super) pauses: f64,
    /// All before it lives long, piece by piece.
    pub(super) follows_long: bool,
    /// It ends with the tools and instructions, which most callers share even if nothing shows it yet.
    pub(super) is_head: bool,
    /// Somebody else is writing it: it will be there without this call.
    pub(super) is_pending: bool,
}

/// How many of the pieces are written, and how many of these with the long life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writes {
    pub(super) all: usize,
    pub(super) long: usize,
}

impl Piece {
    /// Who writes what is being written saves nothing by it.
    fn unless_pending(&self, saved: f64) -> f64 {
        if self.is_pending { 0.0 } else { saved }
    }
}

impl Prices {
    /// What it saves, in tokens of plain input, to write a piece with the short life.
    fn short(&self, piece: &Piece, belief: Belief) -> f64 {
        let saved = belief.held * piece.chance.short * (self.short - self.read);
        piece.tokens * (piece.unless_pending(saved) - (self.short - 1.0))
    }

    /// The same with the long life, instead of the short.
    fn longer(&self, long: f64, piece: &Piece, belief: Belief) -> f64 {
        // Where a long mark covers all, the next call gives this piece its long life for nothing.
        let next = piece.chance.long - piece.chance.short;
        let later = next + piece.chance.long * piece.pauses;
        let later = if piece.follows_long { later } else { 0.0 };
        let covers = if piece.is_head { belief.covers_shared } else { belief.covers };
        let pauses = covers * next + (1.0 - covers) * later;
        let saved = belief.held * pauses * (self.short - self.read);
        piece.tokens * (piece.unless_pending(saved) - (long - self.short))
    }

    /// Whether a long mark on what is read anyway, which costs nothing, is worth the risk that it is
    /// not there and gets written.
    pub(super) fn extends(&self, chance: Chance, belief: Belief) -> bool {
        let Some(long) = self.long else { return false };
        let pause = chance.long - chance.short;
        let saved = belief.covers * belief.held * pause * (self.short - self.read);
        (1.0 - belief.held) * (long - self.short) < saved
    }

    /// The writes that save most, over all ways to cut the pieces in a long, a short and an
    /// unwritten part.
    pub(super) fn choose(&self, pieces: &[Piece], belief: Belief) -> Writes {
        let (mut best, mut most) = (Writes::default(), 0.0);
        let mut long_so_far = 0.0;
        for long in 0..=pieces.len() {
            if 0 < long {
                let Some(price) = self.long else { break };
                let piece = &pieces[long - 1];
                long_so_far += self.short(piece, belief) + self.longer(price, piece, belief);
            }
            let mut sum = long_so_far;
            for all in long..=pieces.len() {
                if long < all {
                    sum += self.short(&pieces[all - 1], belief);
                }
                if most < sum {
                    (best, most) = (Writes { all, long }, sum);
                }
            }
        }
        best
    }
}

/// A mark that was chosen, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chosen {
    /// Index of the block.
    pub(crate) block: usize,
    pub(crate) ttl: Ttl,
    because: Because,
    /// That the prompt is sent again up to there.
    chance: Chance,
    /// What is read, in tokens.
    read: u64,
}

impl Chosen {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a chance")]
    pub(crate) fn reason(&self) -> Reason {
        let chance = match self.ttl {
            Ttl::Short => self.chance.short,
            Ttl::Long => self.chance.long,
        };
        Reason {
            block: u32::try_from(self.block).unwrap_or(u32::MAX),
            because: self.because,
            chance_permille: (chance * 1_000.0).round() as u16,
            read_tokens: self.read,
        }
    }
}

/// What is read of a prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// Index of the block that it ends with.
    pub(super) block: usize,
    pub(super) tokens: u64,
    /// That the prompt is sent again up to there.
    pub(super) chance: Chance,
    /// Its life is to be made long.
    pub(super) is_extended: bool,
    /// It is out of sight from the other marks.
    pub(super) is_far_back: bool,
}

/// The marks for these writes: at most `places`, in the order of the prompt.
pub(super) fn marks(
    pieces: &[Piece],
    writes: Writes,
    hit: Option<Hit>,
    places: usize,
) -> Vec<Chosen> {
    let mut marks: Vec<Chosen> = Vec::new();
    let read = hit.map_or(0, |hit| hit.tokens);
    let mut add = |block: usize, ttl: Ttl, because, chance| {
        if marks.len() < places && marks.iter().all(|other| other.block != block) {
            marks.push(Chosen { block, ttl, because, chance, read });
        }
    };
    let written = &pieces[..writes.all];
    let life = |at: usize| if at < writes.long { Ttl::Long } else { Ttl::Short };
    let why = |at: usize| match life(at) {
        Ttl::Short => Because::SentAgain,
        Ttl::Long => Because::SentAgainLater,
    };
    if let Some(last) = written.last() {
        add(last.block, life(writes.all - 1), why(writes.all - 1), last.chance);
    }
    if let Some(hit) = hit {
        let because = match hit {
            Hit { is_extended: true, .. } => Some(Because::LivesLonger),
            Hit { is_far_back: true, .. } => Some(Because::FarBack),
            _ => written.is_empty().then_some(Because::StillRead),
        };
        // Long ones come first, so what is read is long where what follows is.
        let is_long = hit.is_extended || 0 < writes.long;
        if let Some(because) = because {
            add(hit.block, if is_long { Ttl::Long } else { Ttl::Short }, because, hit.chance);
        }
    }
    if let Some(at) = writes.long.checked_sub(1) {
        add(written[at].block, Ttl::Long, why(at), written[at].chance);
    }
    // The others where most calls leave the prompt.
    let leaving = |at: usize| {
        let beyond = written.get(at + 1).map_or(0.0, |next| next.chance.short);
        let depth: f64 = written[..=at].iter().map(|piece| piece.tokens).sum();
        (written[at].chance.short - beyond) * depth
    };
    let is_useful = |at: &usize| 1.0 < leaving(*at) || written[*at].is_head;
    let mut others: Vec<usize> = (0..written.len()).filter(is_useful).collect();
    others.sort_by(|a, b| leaving(*b).total_cmp(&leaving(*a)));
    for at in others {
        add(written[at].block, life(at), Because::SomeLeave, written[at].chance);
    }
    marks.sort_by_key(|mark| mark.block);
    marks
}
