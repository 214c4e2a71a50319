//! What a screen looks at: a stretch of time, and a part of the calls in it.

use std::collections::BTreeMap;

use scrimp_core::{Span, Time};
use scrimp_store::{Cell, StoreError, Width};
use serde_json::{Value, json};

use super::{Unanswered, named, parameter};
use crate::gateway::Shared;

/// The most names that are offered to narrow by.
const MOST_NAMES: usize = 500;

/// What is looked back over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    span: Span,
    width: Width,
}

/// The cells of a window.
pub(super) struct Stretch {
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) cells: Vec<Cell>,
}

impl Window {
    /// The window that a query asks for: `1h`, `24h`, `7d` or `30d`.
    pub(super) fn asked(query: &str) -> Result<Window, Unanswered> {
        let name = parameter(query, "window").unwrap_or_else(|| "24h".to_owned());
        let (span, width) = match name.as_str() {
            "1h" => (Span::from_hours(1), Width::Minute),
            "24h" => (Span::from_hours(24), Width::Hour),
            "7d" => (Span::from_hours(7 * 24), Width::Hour),
            "30d" => (Span::from_hours(30 * 24), Width::Day),
            _ => {
                let what = format!("there is no window `{name}`: it is 1h, 24h, 7d or 30d");
                return Err(Unanswered::Wrong(what));
            }
        };
        Ok(Window { span, width })
    }

    /// Reads its cells, up to now.
    pub(super) fn cells(self, shared: &Shared) -> Result<Stretch, StoreError> {
        let to = shared.clock.now();
        let from = self.floor(to - self.span);
        let cells = shared.store.reader().cells(from, to + Span::from_nanos(1), self.width)?;
        Ok(Stretch { from, to, cells })
    }

    /// Where the bucket begins that `at` is in.
    pub(super) fn floor(self, at: Time) -> Time {
        at.floor(self.width.span())
    }

    pub(super) fn json(self, from: Time, to: Time) -> Value {
        json!({
            "from_ms": from.millis(),
            "to_ms": to.millis(),
            "width_ms": self.width.span().nanos() / 1_000_000,
        })
    }
}

/// The part of the calls that a query asks about.
#[derive(Clone, Debug, Default)]
pub(super) struct Narrowing {
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) operation: Option<String>,
}

impl Narrowing {
    pub(super) fn asked(query: &str) -> Narrowing {
        Narrowing {
            provider: named(query, "provider"),
            model: named(query, "model"),
            operation: named(query, "operation"),
        }
    }

    /// Whether calls under these names are asked about.
    pub(super) fn passes(&self, provider: &str, model: &str, operation: &str) -> bool {
        let fits = |wanted: &Option<String>, name| wanted.as_deref().is_none_or(|it| it == name);
        fits(&self.provider, provider)
            && fits(&self.model, model)
            && fits(&self.operation, operation)
    }
}

/// The names that occur in a window, the most frequent first, however it is narrowed: one can choose
/// another.
pub(super) fn names(cells: &[Cell]) -> Value {
    let of = |name: fn(&Cell) -> &str| {
        let mut counts = BTreeMap::<&str, u64>::new();
        for cell in cells {
            *counts.entry(name(cell)).or_default() += cell.calls;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.into_iter().map(|(name, _)| name).take(MOST_NAMES).collect::<Vec<_>>()
    };
    json!({
        "provider": of(|cell| &cell.provider),
        "model": of(|cell| &cell.model),
        "operation": of(|cell| &cell.operation),
    })
}
