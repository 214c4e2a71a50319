//! What prompts begin with alike: what a provider's cache can hold.

use super::cost::{self, Model};
use super::{Source, of_tool};
use crate::read::{Kind, Prompt, Tool};
use crate::rules::{self, Breaker};

/// The part that every call begins with.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefix {
    tools: Vec<Tool>,
    /// Instructions up to where they differ.
    text: String,
    /// All instructions of the first prompt.
    whole: String,
    prompts: usize,
    /// What ends it, where it ends before the instructions do.
    pub(super) ended_by: Option<Breaker>,
    /// What looks as if it changed and did not in these prompts.
    constant: Vec<Breaker>,
}

/// Of several prompts: what they have in common. Of one: up to what looks as if it changed.
pub(super) fn of(sources: &[Source]) -> Prefix {
    let Some(Source { prompt: first, .. }) = sources.first() else { return Prefix::default() };
    let whole = instructions(first);
    let found = rules::breakers(&whole);
    let tools = first.tools.clone();
    let mut prefix =
        Prefix { tools, text: whole.clone(), whole, prompts: sources.len(), ..Prefix::default() };
    if sources.len() == 1 {
        prefix.end_before(found.into_iter().next());
        return prefix;
    }
    for Source { prompt, .. } in &sources[1..] {
        let same = prefix.tools.iter().zip(&prompt.tools).take_while(|(a, b)| a == b).count();
        if same < prefix.tools.len().max(prompt.tools.len()) {
            // Tools come first: instructions behind others are in no common prefix.
            prefix.tools.truncate(same);
            prefix.text.clear();
        }
        let other = instructions(prompt);
        let same = common(&prefix.text, &other);
        prefix.text.truncate(same);
    }
    let (inside, behind): (Vec<Breaker>, Vec<Breaker>) =
        found.into_iter().partition(|breaker| breaker.range.end <= prefix.text.len());
    prefix.constant = inside;
    if prefix.text.len() < prefix.whole.len() {
        let at = prefix.text.len();
        let differs = Breaker { what: "text that differs", range: at..at };
        let hit = behind.into_iter().find(|b| b.range.start <= at && at < b.range.end);
        prefix.end_before(Some(hit.unwrap_or(differs)));
    }
    prefix
}

impl Prefix {
    fn end_before(&mut self, breaker: Option<Breaker>) {
        if let Some(breaker) = &breaker {
            self.text.truncate(breaker.range.start);
        }
        self.ended_by = breaker;
    }

    /// Its tokens.
    pub(super) fn tokens(&self, model: &Model) -> u64 {
        self.of_tools(model) + model.vocabulary.count(&self.text).tokens
    }

    /// Its tokens if what ends it stood behind it.
    pub(super) fn tokens_without_end(&self, model: &Model) -> u64 {
        let end = self
            .ended_by
            .as_ref()
            .map_or(0, |breaker| model.vocabulary.count(&self.whole[breaker.range.clone()]).tokens);
        self.of_tools(model) + model.vocabulary.count(&self.whole).tokens.saturating_sub(end)
    }

    fn of_tools(&self, model: &Model) -> u64 {
        let tokens = |tool: &Tool| of_tool(&tool.definition, model.vocabulary, &model.row.model);
        self.tools.iter().map(tokens).sum()
    }

    /// What stands where it ends.
    pub(super) fn quote(&self) -> String {
        let Some(breaker) = &self.ended_by else { return String::new() };
        if !breaker.range.is_empty() {
            return self.whole[breaker.range.clone()].to_owned();
        }
        let rest = self.whole[breaker.range.start..].chars();
        rest.take(40).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// On which line of the instructions it ends.
    pub(super) fn line(&self) -> usize {
        self.text.matches('\n').count() + 1
    }

    /// What looks as if it changed: what it would cost if it did, or why it costs nothing.
    pub(super) fn notes(&self, model: &Model, tokens: u64) -> Option<String> {
        let whole = self.tokens_without_end(model);
        if let Some(ends) = &self.ended_by {
            let costs = cost::dearer(model, tokens, whole, self.tokens(model));
            let free = || {
                format!(
                    "`{}` ({}) on line {} ends what a cache can hold; here that costs nothing, as the \
                     instructions are too short to be cached, or end there",
                    self.quote(),
                    ends.what,
                    self.line()
                )
            };
            return costs.is_none().then(free);
        }
        let breaker = self.constant.first()?;
        let before = model.vocabulary.count(&self.whole[..breaker.range.start]).tokens;
        let lost = cost::dearer(model, tokens, whole, self.of_tools(model) + before);
        let lost = lost.map(|usd| format!(", which costs ${usd:.2} in 1,000 calls"));
        Some(format!(
            "`{}` ({}) is the same in all {} prompts here; if it is filled in anew at each call, \
             nothing behind it is read from a cache{}",
            &self.whole[breaker.range.clone()],
            breaker.what,
            self.prompts,
            lost.unwrap_or_default()
        ))
    }
}

/// The instructions that a prompt begins with.
fn instructions(prompt: &Prompt) -> String {
    let leading = prompt.pieces.iter().take_while(|piece| piece.kind == Kind::System);
    leading.map(|piece| piece.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// How many bytes two texts begin with alike.
fn common(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    (0..=same).rev().find(|at| one.is_char_boundary(*at)).unwrap_or(0)
}
