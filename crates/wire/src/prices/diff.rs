//! What changed between two catalogues.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use scrimp_core::price::{Catalog, PriceRow};

/// The changes from one catalogue to another, sorted by provider and model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Priced now, and not before.
    pub added: Vec<Arc<PriceRow>>,
    /// Priced before, and no longer.
    pub removed: Vec<Arc<PriceRow>>,
    /// Priced otherwise: before, now.
    pub changed: Vec<(Arc<PriceRow>, Arc<PriceRow>)>,
}

type Rows = BTreeMap<(Arc<str>, Arc<str>), Arc<PriceRow>>;

/// What is different in `new`. Of several rows for one model the one added last counts.
pub fn diff(old: &Catalog, new: &Catalog) -> Diff {
    let by_name = |catalog: &Catalog| -> Rows {
        let rows = catalog.rows();
        rows.map(|row| ((row.provider.clone(), row.model.clone()), row.clone())).collect()
    };
    let (mut old, new) = (by_name(old), by_name(new));
    let mut diff = Diff::default();
    for (name, row) in new {
        match old.remove(&name) {
            None => diff.added.push(row),
            Some(before) if before != row => diff.changed.push((before, row)),
            Some(_) => (),
        }
    }
    diff.removed = old.into_values().collect();
    diff
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diff { added, removed, changed } = self;
        for row in removed {
            writeln!(f, "removed  {}/{}", row.provider, row.model)?;
        }
        for row in added {
            writeln!(f, "added    {}/{} {}", row.provider, row.model, headline(row))?;
        }
        for (before, now) in changed {
            let name = format!("{}/{}", now.provider, now.model);
            writeln!(f, "changed  {name} {} -> {}", headline(before), headline(now))?;
        }
        let (added, removed, changed) = (added.len(), removed.len(), changed.len());
        writeln!(f, "{added} added, {removed} removed, {changed} changed")
    }
}

/// The two rates by which people know a model, in dollars per million tokens.
pub(super) fn headline(row: &PriceRow) -> String {
    let rates = &row.cards[0].rates;
    format!("{}/{}", rates.input.per_million(), rates.output.per_million())
}
