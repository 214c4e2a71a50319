//! Usage as providers report it, and the one place where it becomes the partition.
//!
//! Two families: *inclusive* (`OpenAI` and all that imitate it, Gemini: the prompt's tokens contain
//! cached and written ones) and *exclusive* (Anthropic; Bedrock, by its guide to prompt caching: input
//! is what is left beside the cache). A number
//! that is negative, no integer, or beyond 2^40 is refused here, before it can reach a sum.

mod charge;

use std::borrow::Cow;

use scrimp_core::price::Region;
use scrimp_core::usage::MOST_TOKENS;
use scrimp_core::{Metering, Tier, Usage, UsageState};

use crate::scan::{Kind, Scanner, Wrong};
pub(crate) use charge::Charge;

/// A number of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Count {
    /// Not given.
    #[default]
    Absent,
    /// Given and credible.
    Known(u64),
    /// Given, and not credible.
    Bad,
}

/// One report of usage. The field names of both families mean the same thing wherever they occur,
/// so one report holds either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Input contains cached and written tokens.
    pub(crate) is_inclusive: bool,
    pub(crate) input: Count,
    pub(crate) output: Count,
    pub(crate) total: Count,
    pub(crate) cached: Count,
    pub(crate) written: Count,
    pub(crate) written_short: Count,
    pub(crate) written_long: Count,
    pub(crate) audio_input: Count,
    pub(crate) image_input: Count,
    pub(crate) reasoning: Count,
    /// Reasoning is counted beside the output and not in it.
    pub(crate) is_reasoning_beside: bool,
    pub(crate) audio_output: Count,
    /// Input of tools, which is counted beside the prompt.
    pub(crate) tool_input: Count,
    /// Audio and images that were read from a cache.
    pub(crate) cached_audio: Count,
    pub(crate) cached_image: Count,
    /// Tokens of compactions, which the provider does not count in the fields above.
    pub(crate) beside: Option<Usage>,
    pub(crate) is_beside_bad: bool,
    pub(crate) tier: Option<Tier>,
    pub(crate) region: Option<Region>,
    pub(crate) is_fast: Option<bool>,
    pub(crate) charge: Charge,
}

impl Report {
    /// Reads an object of usage.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Result<Report, Wrong> {
        let mut report = Report::default();
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            report.member(&member.key.decoded(), scanner)?;
        }
        Ok(report)
    }

    fn member(&mut self, key: &[u8], scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        match key {
            b"prompt_tokens" | b"promptTokenCount" => {
                self.is_inclusive = true;
                self.input = count(scanner)?;
            }
            b"input_tokens" | b"inputTokens" | b"inputTokenCount"
                if self.input == Count::Absent =>
            {
                self.input = count(scanner)?;
            }
            b"completion_tokens" | b"candidatesTokenCount" => self.output = count(scanner)?,
            b"output_tokens" | b"outputTokens" | b"outputTokenCount"
                if self.output == Count::Absent =>
            {
                self.output = count(scanner)?;
            }
            b"total_tokens" | b"totalTokenCount" | b"totalTokens" => self.total = count(scanner)?,
            b"thoughtsTokenCount" => {
                self.is_reasoning_beside = true;
                self.reasoning = count(scanner)?;
            }
            b"toolUsePromptTokenCount" => self.tool_input = count(scanner)?,
            b"promptTokensDetails" => {
                [self.audio_input, self.image_input] = modalities(scanner)?;
            }
            b"cacheTokensDetails" => {
                [self.cached_audio, self.cached_image] = modalities(scanner)?;
            }
            b"candidatesTokensDetails" => [self.audio_output, _] = modalities(scanner)?,
            b"cache_read_input_tokens"
            | b"prompt_cache_hit_tokens"
            | b"cached_tokens"
            | b"num_cached_tokens"
            | b"cachedContentTokenCount"
            | b"cacheReadInputTokens"
            | b"cacheReadInputTokenCount" => {
                let cached = count(scanner)?;
                if self.cached == Count::Absent {
                    self.cached = cached;
                }
            }
            b"cache_creation_input_tokens"
            | b"cacheWriteInputTokens"
            | b"cacheWriteInputTokenCount" => self.written = count(scanner)?,
            b"cacheDetails" => self.details(scanner)?,
            b"prompt_tokens_details" | b"input_tokens_details" => {
                self.is_inclusive = true;
                self.input_details(scanner)?;
            }
            b"cache_creation" => self.lives(scanner)?,
            b"completion_tokens_details" | b"output_tokens_details" => {
                self.output_details(scanner)?;
            }
            b"iterations" => self.iterations(scanner)?,
            b"service_tier" => self.tier = word(scanner)?.as_deref().map(tier),
            b"speed" => self.is_fast = word(scanner)?.map(|speed| *speed == *b"fast"),
            b"inference_geo" => self.region = word(scanner)?.as_deref().map(region),
            _ => self.charge.member(key, scanner)?,
        }
        Ok(())
    }

    /// Reads a header of Bedrock's, by its name's end.
    pub(super) fn header(&mut self, kind: &str, value: &[u8]) {
        let count = whole(value).filter(|count| !value.is_empty() && *count <= MOST_TOKENS);
        let count = count.map_or(Count::Bad, Count::Known);
        match kind {
            "input-token-count" => self.input = count,
            "output-token-count" => self.output = count,
            "cache-read-input-token-count" => self.cached = count,
            "cache-write-input-token-count" => self.written = count,
            _ => {}
        }
    }

    fn input_details(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        if scanner.kind()? != Kind::Object {
            return scanner.skip().map(|_| ());
        }
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match &*member.key.decoded() {
                b"cached_tokens" => self.cached = count(scanner)?,
                b"cache_write_tokens" => self.written = count(scanner)?,
                b"audio_tokens" => self.audio_input = count(scanner)?,
                b"image_tokens" => self.image_input = count(scanner)?,
                b"cache_write_tokens_details" => self.lives(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Written tokens by the life that they got.
    fn lives(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        if scanner.kind()? != Kind::Object {
            return scanner.skip().map(|_| ());
        }
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match &*member.key.decoded() {
                b"ephemeral_5m_input_tokens" | b"ttl_30m_tokens" => {
                    self.written_short = count(scanner)?;
                }
                b"ephemeral_1h_input_tokens" | b"ttl_12h_tokens" => {
                    self.written_long = count(scanner)?;
                }
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Written tokens by the life that they got, as Bedrock lists them.
    fn details(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        each(scanner, |scanner| {
            let (mut life, mut tokens) = (None, Count::Absent);
            let mut members = scanner.enter_object()?;
            while let Some(member) = scanner.member(&mut members)? {
                match &*member.key.decoded() {
                    b"ttl" => life = word(scanner)?,
                    b"inputTokens" => tokens = count(scanner)?,
                    _ => drop(scanner.skip()?),
                }
            }
            match life.as_deref() {
                Some(b"5m") => self.written_short = tokens,
                Some(b"1h") => self.written_long = tokens,
                _ => {}
            }
            Ok(())
        })
    }

    fn output_details(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        if scanner.kind()? != Kind::Object {
            return scanner.skip().map(|_| ());
        }
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match &*member.key.decoded() {
                b"reasoning_tokens" | b"thinking_tokens" => self.reasoning = count(scanner)?,
                b"audio_tokens" => self.audio_output = count(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Turns of a server-side loop are contained in the totals; compactions are not.
    fn iterations(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        if scanner.kind()? != Kind::Array {
            return scanner.skip().map(|_| ());
        }
        let (mut sum, mut is_bad) = (Usage::ZERO, false);
        let mut elements = scanner.enter_array()?;
        while scanner.element(&mut elements)? {
            if scanner.kind()? != Kind::Object || !is_compaction(scanner.clone())? {
                scanner.skip()?;
                continue;
            }
            let Metering { usage, suspect, .. } = Report::read(scanner)?.metering();
            is_bad |= suspect;
            sum += usage;
        }
        (self.beside, self.is_beside_bad) = (Some(sum), is_bad);
        Ok(())
    }

    /// What is known after a later report: its fields are cumulative and replace earlier ones.
    pub(super) fn then(&self, later: &Report) -> Report {
        Report {
            is_inclusive: self.is_inclusive || later.is_inclusive,
            input: self.input.then(later.input),
            output: self.output.then(later.output),
            total: self.total.then(later.total),
            cached: self.cached.then(later.cached),
            written: self.written.then(later.written),
            written_short: self.written_short.then(later.written_short),
            written_long: self.written_long.then(later.written_long),
            audio_input: self.audio_input.then(later.audio_input),
            image_input: self.image_input.then(later.image_input),
            reasoning: self.reasoning.then(later.reasoning),
            is_reasoning_beside: self.is_reasoning_beside || later.is_reasoning_beside,
            tool_input: self.tool_input.then(later.tool_input),
            cached_audio: self.cached_audio.then(later.cached_audio),
            cached_image: self.cached_image.then(later.cached_image),
            audio_output: self.audio_output.then(later.audio_output),
            beside: later.beside.or(self.beside),
            is_beside_bad: later.is_beside_bad || self.is_beside_bad,
            tier: later.tier.or(self.tier),
            region: later.region.or(self.region),
            is_fast: later.is_fast.or(self.is_fast),
            charge: self.charge.then(&later.charge),
        }
    }

    /// Normalises the report into the partition.
    pub(crate) fn metering(&self) -> Metering {
        let mut doubt = Doubt { suspect: self.is_beside_bad || self.charge.is_bad() };
        // Without a credible total there is nothing to divide up.
        let Count::Known(input) = self.input else {
            doubt.suspect |= self.has_bad();
            return Metering { suspect: doubt.suspect, ..Metering::UNKNOWN };
        };
        // Embeddings have no output and do not say so.
        let output = match self.output {
            Count::Known(output) => output,
            Count::Absent => 0,
            Count::Bad => return Metering { suspect: true, ..Metering::UNKNOWN },
        };
        let input = input + doubt.known(self.tool_input);
        let mut usage = self.output_usage(input, output, &mut doubt);
        self.input_usage(input, &mut usage, &mut doubt);
        usage += self.beside.unwrap_or_default();
        Metering { usage, state: UsageState::Measured, suspect: doubt.suspect }
    }

    fn has_bad(&self) -> bool {
        [self.input, self.output, self.cached, self.written].contains(&Count::Bad)
    }

    fn input_usage(&self, input: u64, usage: &mut Usage, doubt: &mut Doubt) {
        let mut cached = doubt.known(self.cached);
        let short = doubt.known(self.written_short);
        let mut long = doubt.known(self.written_long);
        let mut written = match self.written {
            Count::Absent => short + long,
            count => doubt.known(count),
        };
        // The split of a stream's start is of its first turn, the total of all: what is beyond the
        // split is short-lived. A split beyond its total contradicts itself and is left out.
        if written < short + long {
            doubt.suspect = true;
            long = 0;
        }
        if self.is_inclusive && input < cached + written {
            doubt.suspect = true;
            (cached, written, long) = (0, 0, 0);
        }
        usage.cache_read = cached;
        usage.cache_write_long = long;
        usage.cache_write_short = written - long;
        // Audio and images may be cached too: only what is left of the input can be theirs.
        let mut left = if self.is_inclusive { input - cached - written } else { input };
        let (audio, image) = (doubt.known(self.audio_input), doubt.known(self.image_input));
        usage.audio_input = audio.saturating_sub(doubt.known(self.cached_audio)).min(left);
        left -= usage.audio_input;
        usage.image_input = image.saturating_sub(doubt.known(self.cached_image)).min(left);
        usage.uncached = left - usage.image_input;
    }

    fn output_usage(&self, input: u64, output: u64, doubt: &mut Doubt) -> Usage {
        let mut reasoning = doubt.known(self.reasoning);
        // Some imitators count reasoning beside the completion; their own total tells.
        let is_beside = self.is_reasoning_beside
            || (0 < reasoning && self.total == Count::Known(input + output + reasoning));
        let mut output = if is_beside { output + reasoning } else { output };
        if output < reasoning {
            doubt.suspect = true;
            reasoning = 0;
        }
        output -= reasoning;
        let audio_output = doubt.known(self.audio_output).min(output);
        Usage { output: output - audio_output, reasoning, audio_output, ..Usage::ZERO }
    }
}

/// Whether something was left out of a report because it could not be believed.
struct Doubt {
    suspect: bool,
}

impl Doubt {
    fn known(&mut self, count: Count) -> u64 {
        match count {
            Count::Known(count) => count,
            Count::Absent => 0,
            Count::Bad => {
                self.suspect = true;
                0
            }
        }
    }
}

impl Count {
    fn then(self, later: Count) -> Count {
        match later {
            Count::Absent => self,
            Count::Known(_) | Count::Bad => later,
        }
    }
}

/// Tokens of audio and of images in a list by kind, as Gemini gives it.
fn modalities(scanner: &mut Scanner<'_>) -> Result<[Count; 2], Wrong> {
    let mut counts = [Count::Absent; 2];
    each(scanner, |scanner| {
        let (mut kind, mut tokens) = (None, Count::Absent);
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            match &*member.key.decoded() {
                b"modality" => kind = word(scanner)?,
                b"tokenCount" => tokens = count(scanner)?,
                _ => drop(scanner.skip()?),
            }
        }
        match kind.as_deref() {
            Some(b"AUDIO") => counts[0] = tokens,
            Some(b"IMAGE") => counts[1] = tokens,
            _ => {}
        }
        Ok(())
    })?;
    Ok(counts)
}

/// Reads each object of an array, and passes over anything else.
fn each<'a>(
    scanner: &mut Scanner<'a>,
    mut read: impl FnMut(&mut Scanner<'a>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    if scanner.kind()? != Kind::Array {
        return scanner.skip().map(|_| ());
    }
    let mut elements = scanner.enter_array()?;
    while scanner.element(&mut elements)? {
        match scanner.kind()? {
            Kind::Object => read(scanner)?,
            _ => drop(scanner.skip()?),
        }
    }
    Ok(())
}

fn count(scanner: &mut Scanner<'_>) -> Result<Count, Wrong> {
    // Twelve digits are less than [`MOST_TOKENS`].
    if let Some(count) = scanner.short_whole() {
        return Ok(Count::Known(count));
    }
    Ok(match scanner.kind()? {
        Kind::Number => whole(scanner.number()?)
            .filter(|count| *count <= MOST_TOKENS)
            .map_or(Count::Bad, Count::Known),
        Kind::Null => {
            scanner.skip()?;
            Count::Absent
        }
        _ => {
            scanner.skip()?;
            Count::Bad
        }
    })
}

/// The value of digits; `None` if there is anything else, or too many of them.
fn whole(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// Reads a string; anything else says nothing.
pub(super) fn word<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Cow<'a, [u8]>>, Wrong> {
    match scanner.kind()? {
        Kind::String => Ok(Some(scanner.string()?.decoded())),
        _ => scanner.skip().map(|_| None),
    }
}

/// The tier that an answer names.
pub(crate) fn tier(name: &[u8]) -> Tier {
    match name {
        b"batch" => Tier::Batch,
        b"flex" => Tier::Flex,
        b"priority" | b"fast" => Tier::Priority,
        b"ultrafast" => Tier::Ultrafast,
        _ => Tier::Standard,
    }
}

fn region(name: &[u8]) -> Region {
    match name {
        b"us" => Region::Us,
        b"eu" => Region::Eu,
        _ => Region::Global,
    }
}

fn is_compaction(mut scanner: Scanner<'_>) -> Result<bool, Wrong> {
    let mut members = scanner.enter_object()?;
    while let Some(member) = scanner.member(&mut members)? {
        if member.key.is(b"type") {
            return Ok(word(&mut scanner)?.as_deref() == Some(b"compaction"));
        }
        scanner.skip()?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
