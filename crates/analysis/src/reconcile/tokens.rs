//! Tokens of two sides compared: only classes that both sides tell are told apart.

use scrimp_core::price::Rates;
use scrimp_core::{Usage, Usd};

/// Which classes of input a report tells apart from other input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl Told {
    pub(super) fn see(&mut self, usage: &Usage) {
        self.reads |= 0 < usage.cache_read;
        self.writes |= 0 < usage.cache_write_short + usage.cache_write_long;
    }

    /// `usage` as the report would tell it: reasoning is output, what is not told apart is input.
    pub(super) fn fold(self, usage: &Usage) -> Usage {
        let mut folded = *usage;
        folded.output = folded.output.saturating_add(folded.reasoning);
        folded.uncached = folded.uncached.saturating_add(folded.image_input);
        (folded.reasoning, folded.image_input) = (0, 0);
        if !self.writes {
            let writes = folded.cache_write_short.saturating_add(folded.cache_write_long);
            folded.uncached = folded.uncached.saturating_add(writes);
            (folded.cache_write_short, folded.cache_write_long) = (0, 0);
        }
        if !self.reads {
            folded.uncached = folded.uncached.saturating_add(folded.cache_read);
            folded.cache_read = 0;
        }
        folded
    }
}

/// One usage minus another, class by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    more: Usage,
    less: Usage,
}

impl Difference {
    pub(super) fn between(usage: &Usage, minus: &Usage) -> Difference {
        Difference { more: usage.beyond(minus), less: minus.beyond(usage) }
    }

    /// What it is worth.
    pub(super) fn usd(&self, rates: &Rates) -> Usd {
        rates.cost(&self.more) - rates.cost(&self.less)
    }

    /// What its output is worth.
    pub(super) fn output_usd(&self, rates: &Rates) -> Usd {
        rates.cost(&output(&self.more)) - rates.cost(&output(&self.less))
    }

    pub(super) fn input(&self) -> i64 {
        signed(self.more.input()) - signed(self.less.input())
    }

    pub(super) fn output(&self) -> i64 {
        signed(self.more.total_output()) - signed(self.less.total_output())
    }
}

fn output(usage: &Usage) -> Usage {
    let Usage { output, reasoning, audio_output, .. } = *usage;
    Usage { output, reasoning, audio_output, ..Usage::ZERO }
}

pub(super) fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX >> 1)
}
