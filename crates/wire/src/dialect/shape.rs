//! A body whose texts are written in fewer tokens.
//!
//! What a text becomes follows from the text and, for references, from those before it. So the body
//! of the next turn, which begins with the same texts, is shaped to the same beginning.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use scrimp_core::policy::shaping::{Plan, ShapedBlock, Transform, Transforms};
use scrimp_core::{Block, Role};

use super::block::tokens_of_text;
use super::edit::Splices;
use super::layout::Layout;
use super::texts::{decoded, texts};
use crate::error::json_string;
use crate::scan::{Piece, Scanner};
use crate::shape::{canonical, is_table, minify, table, terminal};

/// A shorter text is not worth a reference.
const SHORTEST_REFERRED: usize = 400;
/// So many characters of a text name it in a reference.
const REFERRED_BEGINNING: usize = 60;

/// What shaping makes of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapedBody {
    /// The shaped body; `None` if nothing of it changes.
    pub body: Option<Bytes>,
    /// The blocks that change.
    pub blocks: Vec<ShapedBlock>,
    /// The blocks that would change if what is counted was made, too; empty if nothing is counted.
    pub would: Vec<ShapedBlock>,
}

/// Shapes `body`, of which these are the layout and the prompt, as planned. A layout of another body
/// changes nothing.
pub fn shape(body: &Bytes, layout: &Layout, prompt: &[Block], plan: Plan) -> ShapedBody {
    let mut shaped = ShapedBody { body: None, blocks: Vec::new(), would: Vec::new() };
    if layout.body_bytes != body.len() || layout.spans.len() != prompt.len() {
        return shaped;
    }
    if !plan.counted.is_empty() {
        let all = plan.made.and(plan.counted);
        shaped.would = Shaper::new(body, all).run(layout, prompt).blocks;
    }
    if !plan.made.is_empty() {
        let Shaper { splices, blocks, .. } = Shaper::new(body, plan.made).run(layout, prompt);
        shaped.body = (!blocks.is_empty()).then(|| splices.apply());
        shaped.blocks = blocks;
    }
    shaped
}

/// Walks over the blocks of a body.
struct Shaper<'b> {
    body: &'b Bytes,
    transforms: Transforms,
    splices: Splices<'b>,
    blocks: Vec<ShapedBlock>,
    /// Long texts of tools' results that stood before.
    seen: BTreeSet<String>,
}

impl<'b> Shaper<'b> {
    fn new(body: &'b Bytes, transforms: Transforms) -> Shaper<'b> {
        let splices = Splices::of(body);
        Shaper { body, transforms, splices, blocks: Vec::new(), seen: BTreeSet::new() }
    }

    fn run(mut self, layout: &Layout, prompt: &[Block]) -> Shaper<'b> {
        for ((at, block), span) in (0..).zip(prompt).zip(&layout.spans) {
            let transforms = self.transforms.of(block.role, block.content);
            if transforms.is_empty() {
                continue;
            }
            let mut shaped = ShapedBlock {
                block: at,
                by: Transforms::NONE,
                characters: block.characters,
                tokens: block.tokens,
                digest: None,
            };
            match block.role {
                Role::Tool => self.definition(*span, &mut shaped),
                role => {
                    for text in texts(self.body, *span, role) {
                        self.text(text, transforms, &mut shaped);
                    }
                }
            }
            if !shaped.by.is_empty() {
                self.blocks.push(shaped);
            }
        }
        self
    }

    /// A tool's definition says the same in any order.
    fn definition(&mut self, span: Piece, shaped: &mut ShapedBlock) {
        let Ok(text) = std::str::from_utf8(span.of(self.body)) else { return };
        if let Some(sorted) = canonical(text) {
            self.splices.replace(span, sorted);
            shaped.by = shaped.by.with(Transform::Canonical);
        }
    }

    fn text(&mut self, quoted: Piece, transforms: Transforms, shaped: &mut ShapedBlock) {
        let Some(before) = decoded(quoted.of(self.body)) else { return };
        let (mut after, mut by) = rewritten(&before, transforms);
        if transforms.has(Transform::References) && SHORTEST_REFERRED <= after.len() {
            if self.seen.contains(&*after) {
                after = reference(&after).into();
                by = by.with(Transform::References);
            } else {
                self.seen.insert(after.clone().into_owned());
            }
        }
        if by.is_empty() {
            return;
        }
        let less = |before: u32, old: u32, new: u32| before.saturating_sub(old).saturating_add(new);
        shaped.tokens = less(shaped.tokens, tokens_of_text(&before), tokens_of_text(&after));
        shaped.characters = less(shaped.characters, characters(&before), characters(&after));
        shaped.by = shaped.by.and(by);
        self.splices.replace(quoted, json_string(&after));
    }
}

/// A text after the transforms that concern nothing but it, and those that changed it.
fn rewritten(text: &str, transforms: Transforms) -> (Cow<'_, str>, Transforms) {
    let unchanged = || (Cow::Borrowed(text), Transforms::NONE);
    // Its cells are not to be taken for anything else.
    if is_table(text) {
        return unchanged();
    }
    let changed = |text: String, by| (Cow::Owned(text), Transforms::NONE.with(by));
    if transforms.has(Transform::Tables)
        && let Some(text) = table(text)
    {
        return changed(text, Transform::Tables);
    }
    if transforms.has(Transform::Minify)
        && let Some(text) = minify(text)
    {
        return changed(text, Transform::Minify);
    }
    match transforms.has(Transform::Terminal) && !is_json(text) {
        true => terminal(text).map_or_else(unchanged, |text| changed(text, Transform::Terminal)),
        false => unchanged(),
    }
}

/// Whether a text is an object or an array: its strings are not a terminal's.
fn is_json(text: &str) -> bool {
    let trimmed = text.trim_ascii();
    let mut scanner = Scanner::new(trimmed.as_bytes());
    trimmed.starts_with(['{', '[']) && scanner.skip().is_ok() && scanner.finish().is_ok()
}

/// What stands in the place of a text that stood before: it is named by its beginning, which does
/// not depend on where either stands.
fn reference(text: &str) -> String {
    let beginning = text.chars().take(REFERRED_BEGINNING);
    let beginning: String = beginning.map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("(the same as the earlier tool result that begins with: {})", beginning.trim())
}

fn characters(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
