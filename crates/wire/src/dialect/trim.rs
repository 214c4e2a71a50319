//! A body from which parts are left out, or whose answer is limited.

use std::collections::BTreeMap;

use bytes::Bytes;
use scrimp_core::call::Dialect;
use scrimp_core::policy::token_budget::{Cut, Trim};
use scrimp_core::{Block, Family};

use super::block::tokens_of_text;
use super::edit::{CannotEdit, Splices};
use super::layout::{Layout, Object};
use super::read::words;
use super::section::Section;
use super::texts::{decoded, texts};
use crate::error::json_string;
use crate::scan::{Kind, Piece, Scanner, Wrong};

/// Which word of `OpenAI`'s chat completions limits an answer where the request has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputWord {
    /// `max_completion_tokens`, which `OpenAI` and Azure want.
    Newer,
    /// `max_tokens`, which all that imitate them know.
    Older,
}

/// Trims `body`, of which these are the layout and the prompt.
///
/// # Errors
/// If a block cannot be left out by itself. Nothing is changed then.
pub fn trim(
    body: &Bytes,
    dialect: Dialect,
    layout: &Layout,
    prompt: &[Block],
    trim: &Trim,
    word: OutputWord,
) -> Result<Bytes, CannotEdit> {
    if layout.body_bytes != body.len() {
        let (expected, found) = (layout.body_bytes, body.len());
        return Err(CannotEdit::OtherBody { expected, found });
    }
    let mut splices = Splices::of(body);
    if !trim.dropped.is_empty() {
        let dropped = trim.dropped_of(prompt.len());
        Dropping { body, dialect, layout, dropped: &dropped }.write(&mut splices)?;
    }
    for cut in &trim.cut {
        cut_block(body, layout, prompt, *cut, &mut splices);
    }
    if let Some(most) = trim.max_output {
        limit_answer(body, dialect, layout, most, word, &mut splices)?;
    }
    Ok(splices.apply())
}

/// Leaves blocks out.
struct Dropping<'a> {
    body: &'a [u8],
    dialect: Dialect,
    layout: &'a Layout,
    dropped: &'a [bool],
}

impl Dropping<'_> {
    fn write(&self, splices: &mut Splices<'_>) -> Result<(), CannotEdit> {
        let first = self.dropped.iter().position(|is_dropped| *is_dropped).unwrap_or(0);
        let stuck = CannotEdit::NotRemovable { block: u32::try_from(first).unwrap_or(u32::MAX) };
        let messages = self.messages().map_err(|_| stuck)?.ok_or(stuck)?;
        let spans = &self.layout.spans;
        // Blocks of other parts of the request stand elsewhere.
        let within = messages.first().zip(messages.last());
        let is_said = |span: &Piece| {
            within.is_some_and(|(first, last)| first.start <= span.start && span.end <= last.end)
        };
        let mut at = spans.iter().position(is_said).unwrap_or(spans.len());
        let mut is_left_out = Vec::with_capacity(messages.len());
        let mut left = self.dropped.iter().filter(|is_dropped| **is_dropped).count();
        for message in &messages {
            let is_in = |span: &&Piece| message.start <= span.start && span.end <= message.end;
            let count = spans[at..].iter().take_while(is_in).count();
            let gone = self.dropped[at..at + count].iter().filter(|gone| **gone).count();
            left -= gone;
            // A message without any block goes with the one before it.
            let is_all = if count == 0 {
                is_left_out.last().copied().unwrap_or(false)
            } else {
                gone == count
            };
            if 0 < gone && !is_all {
                self.parts(*message, at..at + count, splices).map_err(|_| stuck)?.ok_or(stuck)?;
            }
            is_left_out.push(is_all);
            at += count;
        }
        cut_elements(&messages, &is_left_out, splices);
        if left == 0 { Ok(()) } else { Err(stuck) }
    }

    /// Where the messages stand.
    fn messages(&self) -> Result<Option<Vec<Piece>>, Wrong> {
        let Some(words) = words(self.dialect) else { return Ok(None) };
        let is_messages = |section| matches!(section, Section::Messages | Section::Items);
        let named = words.sections.iter().find(|(_, section)| is_messages(*section));
        let Some((name, _)) = named else { return Ok(None) };
        let members = members(self.body, 0)?;
        let found = members.into_iter().find(|(key, _)| **key == **name);
        found.map_or(Ok(None), |(_, value)| elements(self.body, value))
    }

    /// Leaves some of the parts of a message out.
    fn parts(
        &self,
        message: Piece,
        blocks: std::ops::Range<usize>,
        splices: &mut Splices<'_>,
    ) -> Result<Option<()>, Wrong> {
        let Some(words) = words(self.dialect) else { return Ok(None) };
        let members = members(self.body, message.start as usize)?;
        let content = members.into_iter().find(|(key, _)| **key == *words.parts);
        let Some((_, content)) = content else { return Ok(None) };
        let Some(parts) = elements(self.body, content)? else { return Ok(None) };
        let of_part = |part: &Piece| {
            blocks.clone().find(|at| self.layout.spans[*at] == *part).map(|at| self.dropped[at])
        };
        let is_left_out: Vec<bool> = parts.iter().map(|p| of_part(p).unwrap_or(false)).collect();
        let gone = is_left_out.iter().filter(|gone| **gone).count();
        if gone != blocks.filter(|at| self.dropped[*at]).count() {
            return Ok(None);
        }
        cut_elements(&parts, &is_left_out, splices);
        Ok(Some(()))
    }
}

/// Cuts elements out of an array, each with one comma.
fn cut_elements(elements: &[Piece], is_left_out: &[bool], splices: &mut Splices<'_>) {
    let mut has_kept = false;
    for (at, (element, is_left_out)) in elements.iter().zip(is_left_out).enumerate() {
        if !is_left_out {
            has_kept = true;
            continue;
        }
        splices.cut(match (has_kept, elements.get(at + 1)) {
            (true, _) => Piece { start: elements[at - 1].end, end: element.end },
            (false, Some(next)) => Piece { start: element.start, end: next.start },
            (false, None) => *element,
        });
    }
}

/// The members of the object at `start`.
fn members(body: &[u8], start: usize) -> Result<Vec<(Vec<u8>, Piece)>, Wrong> {
    let mut scanner = Scanner::new(body).again_from(start);
    let mut found = Vec::new();
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        let key = member.key.decoded().into_owned();
        found.push((key, scanner.skip()?));
    }
    Ok(found)
}

/// The elements of an array; `None` if the value is none.
fn elements(body: &[u8], value: Piece) -> Result<Option<Vec<Piece>>, Wrong> {
    let mut scanner = Scanner::new(body).again_from(value.start as usize);
    if scanner.kind()? != Kind::Array {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut elements = scanner.enter_array()?;
    while scanner.element(&mut elements)? {
        found.push(scanner.skip()?);
    }
    Ok(Some(found))
}

/// Cuts the texts of a block until it has no more tokens than it may, the longest first. What is no
/// text stays.
fn cut_block(body: &[u8], layout: &Layout, prompt: &[Block], cut: Cut, splices: &mut Splices<'_>) {
    let at = cut.block as usize;
    let (Some(block), Some(span)) = (prompt.get(at), layout.spans.get(at)) else { return };
    let found = texts(body, *span, block.role).into_iter();
    let found = found.filter_map(|piece| Some((piece, decoded(piece.of(body))?)));
    let texts: Vec<(Piece, String, u32)> = found
        .map(|(piece, text)| {
            let tokens = tokens_of_text(&text);
            (piece, text, tokens)
        })
        .collect();
    let beside = block.tokens.saturating_sub(texts.iter().map(|(_, _, tokens)| *tokens).sum());
    let sizes: Vec<u32> = texts.iter().map(|(_, _, tokens)| *tokens).collect();
    let most = fair_share(sizes, cut.tokens.saturating_sub(beside));
    for (piece, text, tokens) in texts {
        if most < tokens {
            splices.replace(piece, json_string(&without_middle(&text, most)));
        }
    }
}

/// The most that each may have, so that all together have no more than `most`.
fn fair_share(mut sizes: Vec<u32>, most: u32) -> u32 {
    sizes.sort_unstable();
    let (mut left, mut count) = (most, u32::try_from(sizes.len()).unwrap_or(u32::MAX));
    for size in sizes {
        let share = left / count;
        if share < size {
            return share;
        }
        (left, count) = (left - size, count - 1);
    }
    u32::MAX
}

/// A text of at most so many tokens, by estimate: its beginning and its end, and between them how
/// much is missing. What is missing is said even where that alone is more.
fn without_middle(text: &str, tokens: u32) -> String {
    let said = |characters: usize| {
        format!("\n[... {characters} characters left out by a token budget ...]\n")
    };
    let characters = text.chars().count();
    let kept = tokens.saturating_sub(tokens_of_text(&said(characters)));
    // In twelfths of a token, in which a character's share of the estimate is a whole number.
    let half = u64::from(kept) * 6;
    let share = |c: char| match c {
        '0'..='9' => 6,
        c if c.is_ascii() => 3,
        c => 4 * c.len_utf8() as u64,
    };
    let within = |c: char, sum: &mut u64| {
        *sum += share(c);
        (*sum <= half).then_some(c.len_utf8())
    };
    let head: usize = text.chars().scan(0, |sum, c| within(c, sum)).sum();
    let tail: usize = text[head..].chars().rev().scan(0, |sum, c| within(c, sum)).sum();
    let missing = &text[head..text.len() - tail];
    let said = said(missing.chars().count());
    [&text[..head], &said, &text[text.len() - tail..]].concat()
}

/// The names of what limits an answer: the object of parameters that it stands in, if it does, and
/// its own; the first is written where there is none.
fn output_names(
    dialect: Dialect,
    word: OutputWord,
) -> (&'static [&'static str], &'static [&'static str]) {
    match (dialect, word) {
        (Dialect::OpenaiChat, OutputWord::Newer) => (&[], &["max_completion_tokens", "max_tokens"]),
        (Dialect::OpenaiChat, OutputWord::Older) => (&[], &["max_tokens", "max_completion_tokens"]),
        (Dialect::OpenaiResponses, _) => (&[], &["max_output_tokens"]),
        (Dialect::GeminiGenerate, _) => {
            (&["generationConfig", "generation_config"], &["maxOutputTokens", "max_output_tokens"])
        }
        (Dialect::BedrockConverse, _) => (&["inferenceConfig"], &["maxTokens"]),
        _ => (&[], &["max_tokens"]),
    }
}

fn limit_answer(
    body: &Bytes,
    dialect: Dialect,
    layout: &Layout,
    most: u64,
    word: OutputWord,
    splices: &mut Splices<'_>,
) -> Result<(), CannotEdit> {
    let stuck = CannotEdit::Inexpressible { what: "a limit of the answer" };
    let generates = matches!(dialect.family(), Family::Openai | Family::Anthropic)
        || matches!(dialect, Dialect::GeminiGenerate | Dialect::BedrockConverse);
    let top = layout.top.filter(|_| generates).ok_or(stuck)?;
    let (holders, names) = output_names(dialect, word);
    let pick = |members: Vec<(Vec<u8>, Piece)>, names: &[&str]| -> BTreeMap<Vec<u8>, Piece> {
        let is_named = |key: &[u8]| names.iter().any(|name| name.as_bytes() == key);
        members.into_iter().filter(|(key, _)| is_named(key)).collect()
    };
    let top_members = members(body, 0).map_err(|_| stuck)?;
    let (mut object, found) = match holders.first() {
        None => (Some(top), pick(top_members, names)),
        Some(holder) => {
            let Some((_, value)) = pick(top_members, holders).pop_first() else {
                splices.insert(top, holder, &format!("{{\"{}\":{most}}}", names[0]));
                return Ok(());
            };
            let inner = members(body, value.start as usize).map_err(|_| stuck)?;
            (object_of(body, value, &inner), pick(inner, names))
        }
    };
    for value in found.values() {
        object = None;
        let asked: Option<u64> =
            std::str::from_utf8(value.of(body)).ok().and_then(|number| number.parse().ok());
        if asked.is_none_or(|asked| most < asked) {
            splices.replace(*value, most.to_string());
        }
    }
    if let Some(object) = object {
        splices.insert(object, names[0], &most.to_string());
    }
    Ok(())
}

/// An object as a place for another member.
fn object_of(body: &[u8], value: Piece, members: &[(Vec<u8>, Piece)]) -> Option<Object> {
    let start = value.of(body).first().filter(|byte| **byte == b'{').map(|_| value.start + 1)?;
    let end = members.last().map_or(start, |(_, value)| value.end);
    Some(Object { end, members: u32::try_from(members.len()).ok()? })
}

#[cfg(test)]
mod tests;
