//! What broke a prefix: how the first block that differs does, told by outlines and digests.

use rustc_hash::FxHashMap;
use scrimp_core::call::{Block, Look, Outline, Role, Varying};

use super::Sent;
use crate::replay::{Link, Prompts};

/// What broke a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A time of day.
    Time,
    /// A date.
    Date,
    /// The id of somebody or something.
    Id,
    /// Something drawn at random.
    Random,
    /// A number.
    Number,
    /// The same parts in another order: keys of JSON, lines, members of a set.
    KeyOrder,
    /// The same tools in another order.
    ToolOrder,
    /// A tool that is defined in another way.
    ToolChanged,
    /// Tools that are there for some calls only.
    ToolSet,
    /// Earlier turns were left out.
    Trimmed,
    /// Earlier turns were changed, or something was put in between.
    Rewritten,
    /// Another model.
    Model,
    /// A parameter that is rendered into the prompt.
    Parameter,
    /// Another text.
    Text,
}

/// Where a prompt first differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The block, from nought.
    pub(crate) block: usize,
    /// Who speaks there.
    pub(crate) role: Role,
    /// Where in the block, in bytes, as far as it is known.
    pub(crate) bytes: Option<(u64, u64)>,
}

/// What makes `now` differ from `before` after so many blocks, and where.
pub(super) fn of(prompts: &Prompts, before: Sent<'_>, now: Sent<'_>, same: usize) -> (Kind, Place) {
    let role = |links: &[Link]| links.get(same).map(|link| link.role);
    let place = Place {
        block: same,
        role: role(now.links).or(role(before.links)).unwrap_or(Role::User),
        bytes: None,
    };
    if before.traced.common.model != now.traced.common.model {
        return (Kind::Model, place);
    }
    let is_head =
        place.role <= Role::System || role(before.links).is_some_and(|role| role <= Role::System);
    let rendered = |sent: Sent<'_>| sent.traced.common.parameters.rendered;
    if !is_head && rendered(before) != rendered(now) {
        return (Kind::Parameter, place);
    }
    let pair = before.links.get(same).zip(now.links.get(same));
    match pair {
        Some((one, other)) if one.role == Role::Tool || other.role == Role::Tool => {
            tools(prompts, before.links, now.links, place)
        }
        Some((one, other)) if one.role == Role::System && other.role == Role::System => {
            let bytes = bytes(prompts, one, other);
            let (kind, bytes) = text(prompts, one, other).unwrap_or((Kind::Text, bytes));
            (kind, Place { bytes, ..place })
        }
        _ if is_head => (Kind::Text, place),
        _ => {
            let sessions = (before.traced.session, now.traced.session);
            let is_one = sessions.0.is_some() && sessions.0 == sessions.1;
            (history(&before.links[same..], &now.links[same..], is_one), place)
        }
    }
}

/// How the tools of two prompts differ.
fn tools(prompts: &Prompts, before: &[Link], now: &[Link], place: Place) -> (Kind, Place) {
    let of = |links: &'_ [Link]| -> Vec<Link> {
        links.iter().copied().take_while(|link| link.role == Role::Tool).collect()
    };
    let (before, now) = (of(before), of(now));
    let digests = |links: &[Link]| sorted(links.iter().map(|link| link.digest));
    if digests(&before) == digests(&now) {
        return (Kind::ToolOrder, place);
    }
    let names = |links: &[Link]| -> Vec<u64> {
        let names = links.iter().map(|link| {
            let tools = prompts.outline(link).map_or(&[][..], |outline| &outline.tools);
            (tools.to_vec(), link.digest.word())
        });
        let own =
            |(tools, digest): (Vec<u64>, u64)| if tools.is_empty() { vec![digest] } else { tools };
        names.flat_map(own).collect()
    };
    let (old, new) = (names(&before), names(&now));
    if old.len() != new.len() || sorted(old.iter()) != sorted(new.iter()) {
        // Without names nothing tells a tool that changed from one that took its place.
        let are_named = before.iter().chain(&now).all(|link| prompts.outline(link).is_some());
        let is_set = are_named || before.len() != now.len();
        return (if is_set { Kind::ToolSet } else { Kind::ToolChanged }, place);
    }
    if old != new {
        return (Kind::ToolOrder, place);
    }
    let Some((one, other)) = before.get(place.block).zip(now.get(place.block)) else {
        return (Kind::ToolChanged, place);
    };
    match text(prompts, one, other) {
        // A limit of another size is another tool.
        None | Some((Kind::Number, _)) => {
            (Kind::ToolChanged, Place { bytes: bytes(prompts, one, other), ..place })
        }
        Some((kind, bytes)) => (kind, Place { bytes, ..place }),
    }
}

/// How two texts of the same parts differ, and where; `None` if they say something else, or if it is
/// not known.
fn text(prompts: &Prompts, one: &Link, other: &Link) -> Option<(Kind, Option<(u64, u64)>)> {
    let (one, other) = (prompts.outline(one)?, prompts.outline(other)?);
    if one.bag != other.bag {
        return None;
    }
    let Some(span) = first_new(one, other) else { return Some((Kind::KeyOrder, None)) };
    let kind = match span.look {
        Look::Time => Kind::Time,
        Look::Date => Kind::Date,
        Look::Id => Kind::Id,
        Look::Random => Kind::Random,
        Look::Number => Kind::Number,
    };
    let start = u64::from(span.start);
    Some((kind, Some((start, start + u64::from(span.length)))))
}

/// The first piece of `other` that `one` does not have.
fn first_new(one: &Outline, other: &Outline) -> Option<Varying> {
    let mut there: FxHashMap<(Look, u32), u32> = FxHashMap::default();
    for span in &one.spans {
        *there.entry((span.look, span.hash)).or_default() += 1;
    }
    other.spans.iter().copied().find(|span| match there.get_mut(&(span.look, span.hash)) {
        Some(count) if 0 < *count => {
            *count -= 1;
            false
        }
        _ => true,
    })
}

/// The first chunk in which two long blocks differ.
fn bytes(prompts: &Prompts, one: &Link, other: &Link) -> Option<(u64, u64)> {
    let (one, other) = (&prompts.facts(one)?.chunks, &prompts.facts(other)?.chunks);
    if other.is_empty() {
        return None;
    }
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let start = (same * Block::CHUNK_BYTES) as u64;
    Some((start, start + Block::CHUNK_BYTES as u64))
}

/// How the turns of a conversation differ from those it had before. Where no session says that it is
/// one, an answer of the model's that both have does.
fn history(before: &[Link], now: &[Link], is_one: bool) -> Kind {
    let mut places: FxHashMap<u64, usize> = FxHashMap::default();
    for (at, link) in before.iter().enumerate() {
        places.entry(link.digest.word()).or_insert(at);
    }
    let is_both = |link: &Link| places.contains_key(&link.digest.word());
    let is_answer = |link: &&Link| link.role == Role::Assistant;
    if !is_one && !now.iter().filter(is_answer).any(is_both) {
        return Kind::Text;
    }
    let meet = now
        .iter()
        .enumerate()
        .find_map(|(at, link)| places.get(&link.digest.word()).map(|place| (*place, at)));
    match meet {
        Some((left_out, put_in)) if put_in < left_out => Kind::Trimmed,
        _ => Kind::Rewritten,
    }
}

fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    all
}
