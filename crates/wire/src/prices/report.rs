//! What a price list said that could not be taken as it stands.
//!
//! A wrong price is worse than none: it looks like knowledge. So what is doubtful is held back (the
//! model is then *unpriced*, or a class is billed as the one it is a part of) and named here.

use std::collections::BTreeMap;
use std::fmt;

/// What became of a price list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries in the list.
    pub entries: usize,
    /// Rows made of them.
    pub rows: usize,
    /// Entries that are not billed by the token or are no text model: images, speech, search, ….
    pub other_kinds: usize,
    /// Entries that repeat a model under a second name.
    pub repeated: usize,
    /// What was held back.
    pub held: Vec<Held>,
    /// Price fields that no class of tokens corresponds to, with how many entries have them.
    pub unused: BTreeMap<String, usize>,
}

/// An entry, or one of its rates, that was held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The entry's name in the list.
    pub entry: String,
    /// The rate that was held back; `None`: all of them.
    pub field: Option<String>,
    /// Why.
    pub doubt: Doubt,
}

/// Why a price is not believed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Doubt {
    /// Lists write zero for what they do not know.
    #[error("free of charge, or not known: the list writes 0 for both")]
    Zero,
    /// No rate for input, or none for output.
    #[error("no rate per token for {0}")]
    Missing(&'static str),
    /// Below zero.
    #[error("negative: {0}")]
    Negative(String),
    /// Not a decimal number.
    #[error("not a number: {0}")]
    NotANumber(String),
    /// So far from every other price that the unit must be another.
    #[error("{0} dollars per million tokens: the unit cannot be dollars per token")]
    WrongUnit(String),
    /// Reading from the cache would be dearer than not caching.
    #[error("a cache read dearer than uncached input")]
    DearRead,
    /// No provider sells a write below its input or far above it.
    #[error("a cache write at {0} of uncached input: it must be another rate")]
    OddWrite(String),
    /// A discount tier dearer than the standard one.
    #[error("a discount tier dearer than the standard tier")]
    DearDiscount,
    /// Batches of this vendor's models cost half everywhere. Half was taken.
    #[error("not half of the standard tier, which the vendor's batches cost")]
    NotHalf,
    /// The list has the model twice, with different prices.
    #[error("another entry prices the same model differently; the one in front of it was taken")]
    Conflict,
    /// The map's minimum length is not the documented one. The map's is used.
    #[error("the list says at least {list} tokens for caching, the documents say {documents}")]
    Minimum {
        /// In the list; used.
        list: u64,
        /// In the vendor's documents.
        documents: u64,
    },
    /// Not an object of prices.
    #[error("not an entry: {0}")]
    Malformed(String),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}: {field}: {}", self.entry, self.doubt),
            None => write!(f, "{}: {}", self.entry, self.doubt),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { entries, rows, other_kinds, repeated, held, unused } = self;
        let whole = held.iter().filter(|held| held.field.is_none()).count();
        writeln!(
            f,
            "{entries} entries: {rows} rows, {other_kinds} of other kinds, {repeated} repeated, {whole} held back"
        )?;
        for held in held {
            writeln!(f, "held back  {held}")?;
        }
        for (field, count) in unused {
            writeln!(f, "not used   {field} in {count} entries")?;
        }
        Ok(())
    }
}
