//! YAML as a tree in which everything knows its place.
//!
//! What scalars mean is read as Python's YAML 1.1 reads it, since that is what LiteLLM reads with:
//! `yes` is true.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Line and column, both from 1.
pub(super) type Place = (usize, usize);

/// What is wrong, and where.
pub(super) type Wrong = (Place, String);

/// More than this is no configuration: aliases of aliases would fill the memory.
const MOST_NODES: usize = 100_000;
const MOST_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// This and all below it.
    nodes: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        /// Without quotes, so that it may be a number, a truth or nothing.
        is_plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
    /// It came through `<<`, and gives way to what is written beside it.
    is_merged: bool,
}

impl Node {
    /// The text of a scalar, unless it is nothing.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The entries of a mapping, none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar { .. } | Kind::List(_) => &[],
        }
    }

    /// The items of a list; one scalar is a list of one, as LiteLLM takes it.
    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } if !self.is_null() => std::slice::from_ref(self),
            Kind::Scalar { .. } | Kind::Map(_) => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(super) fn is_null(&self) -> bool {
        self.is_word(&["", "~", "null"])
    }

    /// Nothing, false or empty: what is written so is not turned on.
    pub(super) fn is_off(&self) -> bool {
        let is_empty = match &self.kind {
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
            Kind::Scalar { .. } => false,
        };
        is_empty || self.is_null() || self.is_word(&["false", "no", "off"])
    }

    fn is_word(&self, words: &[&str]) -> bool {
        match &self.kind {
            Kind::Scalar { text, is_plain: true } => {
                words.iter().any(|word| text.eq_ignore_ascii_case(word))
            }
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => false,
        }
    }
}

/// Reads a text of one document; `None` if there is nothing in it.
pub(super) fn read(text: &str) -> Result<Option<Node>, Wrong> {
    let mut tree = Tree::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event
            .map_err(|error| (place(*error.marker()), format!("no YAML: {}", error.info())))?;
        let at = place(span.start);
        match event {
            Event::DocumentStart(_) => documents += 1,
            Event::Alias(anchor) => {
                let known = tree.anchors.iter().find(|(known, _)| *known == anchor);
                let node = known.map(|(_, node)| node.clone());
                let node = node.ok_or((at, "what the alias stands for is not there".to_owned()))?;
                // It is where it is used that something may be wrong with it.
                tree.take(Node { place: at, ..node }, 0)?;
            }
            Event::Scalar(text, style, anchor, _) => {
                let is_plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar { text: text.into_owned(), is_plain };
                tree.take(Node { place: at, kind, nodes: 1 }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => tree.open(at, Kind::List(Vec::new()), anchor)?,
            Event::MappingStart(anchor, _) => tree.open(at, Kind::Map(Vec::new()), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => tree.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        if 1 < documents {
            return Err((at, "one document is asked for, and here a second begins".to_owned()));
        }
    }
    Ok(tree.root)
}

fn place(marker: Marker) -> Place {
    (marker.line(), marker.col() + 1)
}

/// A tree that is being read.
#[derive(Default)]
struct Tree {
    root: Option<Node>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node)>,
}

struct Open {
    node: Node,
    anchor: usize,
    /// A key that waits for its value.
    key: Option<(String, Place)>,
}

impl Tree {
    fn open(&mut self, place: Place, kind: Kind, anchor: usize) -> Result<(), Wrong> {
        if MOST_DEPTH <= self.open.len() {
            return Err((place, format!("more than {MOST_DEPTH} levels")));
        }
        self.open.push(Open { node: Node { place, kind, nodes: 1 }, anchor, key: None });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Wrong> {
        let Open { node, anchor, .. } = self.open.pop().expect("the parser closes what it opened");
        self.take(node, anchor)
    }

    /// Puts a whole node where it belongs.
    fn take(&mut self, node: Node, anchor: usize) -> Result<(), Wrong> {
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
        }
        let Some(Open { node: above, key, .. }) = self.open.last_mut() else {
            self.root = Some(node).filter(|node| !node.is_null());
            return Ok(());
        };
        above.nodes += node.nodes;
        if MOST_NODES < above.nodes {
            return Err((node.place, format!("more than {MOST_NODES} values")));
        }
        match (&mut above.kind, key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(_), None) => match node.kind {
                Kind::Scalar { text, .. } => *key = Some((text, node.place)),
                Kind::List(_) | Kind::Map(_) => {
                    return Err((node.place, "a key is a word".to_owned()));
                }
            },
            (Kind::Map(entries), Some((key, place))) => {
                add(entries, Entry { key, place, value: node, is_merged: false })?;
            }
            (Kind::Scalar { .. }, _) => unreachable!("a scalar is never open"),
        }
        Ok(())
    }
}

fn add(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), Wrong> {
    if entry.key == "<<" {
        return merge(entries, &entry);
    }
    match entries.iter_mut().find(|known| known.key == entry.key) {
        None => entries.push(entry),
        Some(merged) if merged.is_merged => *merged = entry,
        Some(known) => {
            let message =
                format!("`{}` is there twice; first in line {}", entry.key, known.place.0);
            return Err((entry.place, message));
        }
    }
    Ok(())
}

/// `<<: *defaults`: what is not said here is taken from there.
fn merge(entries: &mut Vec<Entry>, from: &Entry) -> Result<(), Wrong> {
    let sources = match &from.value.kind {
        Kind::Map(_) => std::slice::from_ref(&from.value),
        Kind::List(items) => items,
        Kind::Scalar { .. } => return Err((from.place, "`<<` takes a mapping".to_owned())),
    };
    for entry in sources.iter().flat_map(Node::entries) {
        if entries.iter().all(|known| known.key != entry.key) {
            entries.push(Entry { is_merged: true, ..entry.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn tree(text: &str) -> Node {
        read(text).unwrap().unwrap()
    }

    #[test]
    fn everything_knows_its_place() {
        let root = tree("a:\n  - b: 1\n    \"c\": [x, 'no']\n");
        let item = &root.get("a").unwrap().items()[0];
        let places =
            item.entries().iter().map(|entry| (&*entry.key, entry.place, entry.value.place));
        assert_eq!(places.collect::<Vec<_>>(), [("b", (2, 5), (2, 8)), ("c", (3, 5), (3, 10))]);
        let words = item.get("c").unwrap().items();
        assert!(words[1].text() == Some("no") && !words[1].is_off(), "what is quoted is a text");
    }

    #[test]
    fn what_is_merged_in_gives_way_to_what_is_written() {
        let root = tree("d: &d {a: 1, b: 1}\nx: {b: 2, <<: *d}\ny:\n  <<: [*d]\n  b: 3\n");
        for (name, b) in [("x", "2"), ("y", "3")] {
            let node = root.get(name).unwrap();
            let value = |key| node.get(key).and_then(Node::text);
            assert_eq!((value("a"), value("b")), (Some("1"), Some(b)), "{name}");
        }
    }

    #[test]
    fn what_is_off_is_off_in_every_spelling() {
        for off in ["false", "No", "OFF", "~", "null", "", "[]", "{}"] {
            assert!(tree(&format!("a: {off}\n")).get("a").unwrap().is_off(), "{off}");
        }
        for on in ["true", "yes", "0", "'false'", "[x]"] {
            assert!(!tree(&format!("a: {on}\n")).get("a").unwrap().is_off(), "{on}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(wrong("a: 1\nb: [1\n").0.0, 3);
        let twice = ((2, 1), "`a` is there twice; first in line 1".to_owned());
        assert_eq!(wrong("a: 1\na: 2\n"), twice);
        assert_eq!(wrong("a: 1\n---\nb: 1\n").0, (2, 1));
        assert!(wrong("a: *b\n").0.0 == 1);
        assert!(read("# nothing\n").unwrap().is_none());
    }

    #[test]
    fn a_few_lines_cannot_fill_the_memory() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let before = format!("*a{}, ", n - 1).repeat(9);
            writeln!(bomb, "a{n}: &a{n} [{}]", before.trim_end_matches(", ")).unwrap();
        }
        assert!(read(&bomb).unwrap_err().1.starts_with("more than 100000 values"));
        assert!(read(&"[".repeat(100)).unwrap_err().1.starts_with("more than 64 levels"));
    }
}
