//! Records as bytes, on their way to the writer.
//!
//! A record is laid out by the thread that settles it, which has it in its cache and gives its memory
//! back there: reading it on the writer's processor and freeing it from there cost more than writing
//! it. The blocks of its prompt stand in front, each with its end, since only the writer knows how
//! many of them an earlier row holds.

use std::ops::Range;

use scrimp_core::call::{Features, Outline, Varying};
use scrimp_core::record::{RECORD_VERSION, Timing};
use scrimp_core::{
    Attempt, Block, Call, CallId, Caller, Metering, Parameters, Record, Span, Time, Usage, Usd,
};

use crate::blob::{Base, Start, block_hash, checksum};
use crate::chains;
use crate::commit::classes;
use crate::put::Put;
use crate::tail::Fact;

/// Drafts one after the other.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    heads: Vec<Head>,
    blocks: Vec<Piece>,
    bytes: Vec<u8>,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    head: &'a Head,
    blocks: &'a [Piece],
    bytes: &'a [u8],
}

/// What is asked of a call without reading its bytes. Places are places in these.
#[derive(Clone, Debug)]
struct Head {
    id: CallId,
    arrived: Time,
    is_success: bool,
    family: u64,
    conversation: u64,
    model: Range<usize>,
    operation: Range<usize>,
    blocks: usize,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Of the block without its mark.
    hash: u64,
    end: usize,
}

impl Drafts {
    /// One draft.
    pub(crate) fn of(record: &Record) -> Drafts {
        let blocks = record.call.prompt.len();
        let mut drafts = Drafts {
            heads: Vec::with_capacity(1),
            blocks: Vec::with_capacity(blocks),
            bytes: Vec::with_capacity(512 + 128 * blocks),
        };
        drafts.push(record);
        drafts
    }

    /// None yet, with room for as many as there are here.
    pub(crate) fn as_large(&self) -> Drafts {
        Drafts {
            heads: Vec::with_capacity(self.heads.len()),
            blocks: Vec::with_capacity(self.blocks.len()),
            bytes: Vec::with_capacity(self.bytes.len()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.blocks) + size_of_val(&*self.heads)
    }

    /// Each of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Draft<'_>> {
        let (mut blocks, mut bytes) = (&*self.blocks, &*self.bytes);
        self.heads.iter().map(move |head| Draft {
            head,
            blocks: blocks.split_off(..head.blocks).expect("counted"),
            bytes: bytes.split_off(..head.bytes).expect("counted"),
        })
    }

    /// Adds a draft that was made elsewhere.
    pub(crate) fn add(&mut self, draft: Draft<'_>) {
        self.heads.push(draft.head.clone());
        self.blocks.extend_from_slice(draft.blocks);
        self.bytes.extend_from_slice(draft.bytes);
    }

    fn push(&mut self, record: &Record) {
        let Record {
            call,
            placement,
            shaped,
            budgeted,
            attempts,
            ending,
            metering,
            cost,
            cost_uncached,
            timing,
        } = record;
        let out = &mut self.bytes;
        let start = out.len();
        for block in &call.prompt {
            put_block(block, out);
            self.blocks.push(Piece { hash: block_hash(block), end: out.len() - start });
        }
        put_marks(&call.prompt, out);
        let [model, operation] = put_call(call, out);
        out.any(placement);
        out.word(attempts.len() as u64);
        for attempt in attempts {
            put_attempt(attempt, out);
        }
        out.any(ending);
        put_metering(metering, out);
        put_cost(*cost, out);
        put_cost(*cost_uncached, out);
        put_timing(timing, out);
        out.any(shaped);
        out.any(budgeted);
        let family = call.family();
        self.heads.push(Head {
            id: call.id,
            arrived: call.arrived,
            is_success: record.is_success(),
            family,
            conversation: chains::conversation(call, family),
            model: model.start - start..model.end - start,
            operation: operation.start - start..operation.end - start,
            blocks: call.prompt.len(),
            bytes: out.len() - start,
        });
    }
}

impl Draft<'_> {
    /// Appends the record as it is stored, without the blocks that its base has.
    pub(crate) fn write(&self, base: Option<Base>, out: &mut Vec<u8>) {
        let start = out.len();
        put_start(Start { version: RECORD_VERSION, base }, out);
        let shared = base.map_or(0, |base| base.shared);
        out.word((self.blocks.len() - shared) as u64);
        let from = self.blocks[..shared].last().map_or(0, |block| block.end);
        out.extend_from_slice(&self.bytes[from..]);
        let sum = checksum(&out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// What a list asks of the call as row `seq`.
    pub(crate) fn fact(&self, seq: u64) -> Fact<'_> {
        let Head { id, arrived, is_success, model, operation, .. } = self.head;
        let text = |at: &Range<usize>| {
            std::str::from_utf8(&self.bytes[at.clone()]).expect("a text was put there")
        };
        Fact {
            seq,
            id: *id,
            arrived: *arrived,
            model: text(model),
            operation: text(operation),
            is_success: *is_success,
        }
    }

    /// What says whether it begins as another prompt does, block by block.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.blocks.iter().map(|block| block.hash)
    }

    /// Names the prompts that share its tools and instructions.
    pub(crate) fn family(&self) -> u64 {
        self.head.family
    }

    /// Names the prompts that it may continue.
    pub(crate) fn conversation(&self) -> u64 {
        self.head.conversation
    }
}

/// Begins a record: its version, and where the beginning of its prompt is.
pub(crate) fn put_start(Start { version, base }: Start, out: &mut Vec<u8>) {
    out.word(u64::from(version));
    out.maybe(base, |out, Base { row, shared }| {
        out.word(row);
        out.word(shared as u64);
    });
}

fn put_block(block: &Block, out: &mut Vec<u8>) {
    let Block {
        role,
        content,
        digest,
        chunks,
        characters,
        tokens,
        features,
        outline,
        mark: _,
        markable,
    } = block;
    out.push(*role as u8);
    out.push(*content as u8);
    out.extend_from_slice(&digest.0);
    out.words(chunks);
    out.word(u64::from(*characters));
    out.word(u64::from(*tokens));
    out.maybe(features.as_deref(), put_features);
    out.flag(*markable);
    out.maybe(outline.as_deref(), put_outline);
}

fn put_outline(out: &mut Vec<u8>, outline: &Outline) {
    let Outline { bag, spans, tools } = outline;
    out.word(*bag);
    out.word(spans.len() as u64);
    for Varying { look, hash, start, length } in spans {
        out.push(*look as u8);
        out.word(u64::from(*hash));
        out.word(u64::from(*start));
        out.word(u64::from(*length));
    }
    out.words(tools);
}

fn put_features(out: &mut Vec<u8>, features: &Features) {
    let Features { numbers, names, negations, order, bag } = features;
    out.words(numbers);
    out.words(names);
    out.word(u64::from(*negations));
    out.word(*order);
    out.word(*bag);
}

/// The marks of all blocks, whose own bytes are without: they move from turn to turn.
fn put_marks(prompt: &[Block], out: &mut Vec<u8>) {
    let marks = || (0..).zip(prompt).filter_map(|(at, block)| Some((at, block.mark?)));
    out.word(marks().count() as u64);
    for (at, ttl) in marks() {
        out.word(at);
        out.push(ttl as u8);
    }
}

/// A call without its prompt. Says where its model and its operation are.
fn put_call(call: &Call, out: &mut Vec<u8>) -> [Range<usize>; 2] {
    let Call {
        id,
        seed,
        arrived,
        dialect,
        provider,
        model,
        operation,
        caller,
        delivery,
        parameters,
        prompt: _,
        body_bytes,
    } = call;
    out.extend_from_slice(&id.0.to_be_bytes());
    out.word(*seed);
    out.signed(arrived.nanos());
    out.push(*dialect as u8);
    out.text(provider);
    let places = [model, operation].map(|text| {
        out.text(text);
        out.len() - text.len()..out.len()
    });
    put_caller(caller, out);
    out.push(*delivery as u8);
    put_parameters(parameters, out);
    out.word(*body_bytes);
    places
}

fn put_caller(caller: &Caller, out: &mut Vec<u8>) {
    let Caller { key, session, tags } = caller;
    out.extend_from_slice(&key.0);
    out.maybe(session.as_ref(), |out, session| out.extend_from_slice(&session.0));
    out.word(tags.len() as u64);
    for (name, value) in tags {
        out.text(name);
        out.text(value);
    }
}

fn put_parameters(parameters: &Parameters, out: &mut Vec<u8>) {
    let Parameters {
        max_output_tokens,
        temperature_permille,
        answers,
        usage_in_stream,
        client_cache_options,
        digest,
        rendered,
    } = parameters;
    out.maybe(*max_output_tokens, Vec::word);
    out.maybe(temperature_permille.map(u64::from), Vec::word);
    out.word(u64::from(*answers));
    out.flag(*usage_in_stream);
    out.flag(*client_cache_options);
    out.extend_from_slice(&digest.0);
    out.maybe(*rendered, Vec::word);
}

fn put_attempt(attempt: &Attempt, out: &mut Vec<u8>) {
    let Attempt { provider, model, sent, ended, status, fault, metering, terms, cost, priced_as } =
        attempt;
    out.text(provider);
    out.text(model);
    out.signed(sent.nanos());
    out.signed(ended.nanos());
    out.maybe(status.map(u64::from), Vec::word);
    out.maybe(fault.map(|fault| fault as u8), Vec::push);
    put_metering(metering, out);
    out.any(terms);
    put_cost(*cost, out);
    out.maybe(priced_as.as_deref(), Vec::text);
}

fn put_metering(metering: &Metering, out: &mut Vec<u8>) {
    let Metering { usage, state, suspect } = metering;
    put_usage(usage, out);
    out.push(*state as u8);
    out.flag(*suspect);
}

/// In the order of the columns, which is that of the fields.
fn put_usage(usage: &Usage, out: &mut Vec<u8>) {
    for tokens in classes(usage) {
        out.word(tokens);
    }
}

fn put_cost(cost: Option<Usd>, out: &mut Vec<u8>) {
    out.maybe(cost.map(Usd::pico), Vec::wide);
}

fn put_timing(timing: &Timing, out: &mut Vec<u8>) {
    let Timing { head, first_content, last_content, hung_up, ended, overhead } = timing;
    for at in [head, first_content, last_content, hung_up, ended, overhead] {
        out.maybe(at.map(Span::nanos), Vec::signed);
    }
}
