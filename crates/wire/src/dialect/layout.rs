//! Where in a body the places lie that an edit may touch.

use scrimp_core::Ttl;

use crate::scan::Piece;

/// Positions in the bytes of one body. Of no use with any other body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Length of the body that this is the layout of.
    pub(super) body_bytes: usize,
    /// The request object itself; `None` if the body is no object.
    pub(super) top: Option<Object>,
    /// The value of `model`.
    pub(super) model: Option<Piece>,
    /// `stream_options`.
    pub(super) stream_options: Option<Options>,
    /// The request-level cache options of the dialect.
    pub(super) cache_options: Option<Options>,
    /// Where each block of the prompt takes a mark.
    pub(super) places: Vec<Place>,
    /// Marks that are no block's own: before the first block, or one more behind the same.
    pub(super) strays: usize,
    /// Where each block of the prompt stands; a whole message for what it says without content.
    pub(super) spans: Vec<Piece>,
}

/// An object that may get a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    /// Behind its last member, or behind its opening brace.
    pub(super) end: u32,
    /// How many members it has.
    pub(super) members: u32,
}

/// A member that may be changed or cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// What to cut out to be rid of it, one comma included if there is one.
    pub(super) cut: Piece,
    /// Its value.
    pub(super) value: Piece,
}

/// A member whose value is an object of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) slot: Slot,
    /// The object, unless the value is none.
    pub(super) object: Option<Object>,
    /// Values of the options that edits know.
    pub(super) include_usage: Option<Piece>,
    pub(super) mode: Option<Piece>,
    pub(super) ttl: Option<Piece>,
    /// The life that they ask for.
    pub(super) life: Option<Ttl>,
    /// The provider writes nothing by itself (`mode: "explicit"`).
    pub(super) is_explicit: bool,
    /// `include_usage` is true already.
    pub(super) includes_usage: bool,
}

/// Where a block takes a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As a member of its object.
    Object {
        /// The object.
        object: Object,
        /// The member that is there.
        mark: Option<Slot>,
    },
    /// As an element of its own behind it.
    Behind {
        /// Behind the block.
        at: u32,
        /// The element that is there: its value, and what to cut out to be rid of it.
        mark: Option<Slot>,
    },
    /// Its content is a plain string, which has to become an array of one text block.
    Text(Piece),
    /// Nowhere.
    Fixed,
}
