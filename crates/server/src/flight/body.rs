//! The body of a call on its way out: shaped, trimmed, edited. What changed it is said in the
//! answer's head.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use scrimp_core::policy::prompt_cache::Edit;
use scrimp_core::policy::shaping::{Plan, ShapedBlock, Transform, Transforms};
use scrimp_core::policy::token_budget::{Chunks, Trim};
use scrimp_core::{Block, Call, Dialect};
use scrimp_wire::Key;
use scrimp_wire::dialect::{self, Layout, OutputWord, ShapedBody, WireEdit, edit};

use crate::downstream::Incoming;

/// What a call sends.
pub(crate) enum Body {
    /// Read as a whole, with the places that edits may touch.
    Read(Bytes, Box<Layout>),
    /// Whole, and never edited.
    Opaque(Bytes),
    /// Goes through as it comes, once.
    Passing(Incoming),
    /// No longer needed.
    Gone,
}

/// What policies made of a body before it was sent.
#[derive(Debug, Default)]
pub(super) struct Remade {
    /// The prompt of the body as it is now, where that is not the call's.
    prompt: Option<Vec<Block>>,
    /// What was done, as a list of structured fields (RFC 8941).
    reason: String,
}

impl Remade {
    /// What was done to the call, for its client; `None`: nothing.
    pub(super) fn reason(&self) -> Option<HeaderValue> {
        let is_said = !self.reason.is_empty();
        is_said.then(|| HeaderValue::from_str(&self.reason).expect("words and numbers"))
    }

    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        if !self.reason.is_empty() {
            self.reason.push_str(", ");
        }
        self.reason.write_fmt(what).expect("a text takes everything");
    }

    /// Shapes a body. What cannot be read again afterwards goes as the client sent it.
    pub(super) fn shape(
        &mut self,
        body: &mut Body,
        call: &Call,
        plan: Plan,
        key: &Key,
    ) -> (Vec<ShapedBlock>, Vec<ShapedBlock>) {
        let Body::Read(bytes, layout) = body else { return Default::default() };
        let shaped = dialect::shape(bytes, layout, &call.prompt, plan);
        let ShapedBody { body: shaped, mut blocks, would } = shaped;
        let Some(shaped) = shaped else { return (blocks, would) };
        let Ok(read) = dialect::read(call.dialect, &shaped, key) else {
            return (Vec::new(), would);
        };
        *body = Body::Read(shaped, Box::new(read.layout));
        for block in blocks.iter_mut().filter(|block| block.by.has(Transform::Canonical)) {
            let now = read.facts.prompt.get(block.block as usize);
            block.digest = now.map(|now| now.digest);
        }
        let made = blocks.iter().fold(Transforms::NONE, |all, block| all.and(block.by));
        let names: Vec<_> = made.iter().map(Transform::name).collect();
        let before = call.estimated_tokens();
        let after: u64 = read.facts.prompt.iter().map(|block| u64::from(block.tokens)).sum();
        let (count, saved) = (blocks.len(), before.saturating_sub(after));
        self.say(format_args!("shaped;blocks={count};tokens={saved};by=\"{}\"", names.join(" ")));
        self.prompt = Some(read.facts.prompt);
        (blocks, would)
    }

    /// Ranks chunks of a body.
    pub(super) fn rank(&self, body: &Body, call: &Call, chunks: &Chunks) -> Vec<u32> {
        let Body::Read(bytes, layout) = body else { return Vec::new() };
        dialect::rank(bytes, layout, self.prompt.as_ref().unwrap_or(&call.prompt), chunks)
    }

    /// Trims a body, and says how many tokens its prompt has then. What cannot be trimmed stays as it
    /// is, and is as large as it was.
    pub(super) fn trim(
        &mut self,
        body: &mut Body,
        call: &Call,
        trim: &Trim,
        word: OutputWord,
        key: &Key,
    ) -> Option<u64> {
        let Body::Read(bytes, layout) = body else { return None };
        let prompt = self.prompt.as_ref().unwrap_or(&call.prompt);
        let tokens = |prompt: &[Block]| prompt.iter().map(|block| u64::from(block.tokens)).sum();
        let before: u64 = tokens(prompt);
        let trimmed = dialect::trim(bytes, call.dialect, layout, prompt, trim, word);
        let read = trimmed.ok().and_then(|bytes| {
            let read = dialect::read(call.dialect, &bytes, key).ok()?;
            Some((bytes, read))
        });
        let Some((bytes, read)) = read else { return Some(before) };
        let after: u64 = tokens(&read.facts.prompt);
        *body = Body::Read(bytes, Box::new(read.layout));
        let saved = before.saturating_sub(after);
        if !trim.dropped.is_empty() {
            self.say(format_args!("dropped;blocks={};tokens={saved}", trim.dropped_blocks()));
        }
        if !trim.cut.is_empty() {
            self.say(format_args!("cut;blocks={};tokens={saved}", trim.cut.len()));
        }
        if let Some(most) = trim.max_output {
            self.say(format_args!("limited;max_output_tokens={most}"));
        }
        self.prompt = Some(read.facts.prompt);
        Some(after)
    }
}

impl Body {
    /// The body to send, edited. What cannot be edited goes as the client sent it.
    pub(super) fn edited(
        &mut self,
        dialect: Dialect,
        edits: &[Edit],
        hides_usage: bool,
        renamed: Option<&Arc<str>>,
    ) -> Body {
        match self {
            Body::Read(body, layout) => {
                let own = hides_usage.then_some(WireEdit::IncludeUsage);
                let renamed = renamed.cloned().map(WireEdit::Model);
                let own = own.into_iter().chain(renamed).collect::<Vec<_>>();
                let all = edits.iter().copied().map(WireEdit::Policy).chain(own.iter().cloned());
                let all = all.collect::<Vec<_>>();
                let edited = edit(body, dialect, layout, &all)
                    .or_else(|_| edit(body, dialect, layout, &own))
                    .unwrap_or_else(|_| body.clone());
                Body::Opaque(edited)
            }
            Body::Opaque(body) => Body::Opaque(body.clone()),
            Body::Passing(_) | Body::Gone => std::mem::replace(self, Body::Gone),
        }
    }
}
