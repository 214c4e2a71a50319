//! Parameters beside the prompt.

use scrimp_core::Parameters;
use scrimp_core::call::Digest;

use crate::Key;
use crate::scan::{Kind, Scanner, Wrong};

/// Fields that cannot change the answer: who asks, how it is delivered, cached, kept or billed.
const NOT_OF_THE_ANSWER: &[&[u8]] = &[
    b"user",
    b"safety_identifier",
    b"metadata",
    b"stream_options",
    b"store",
    b"prompt_cache_key",
    b"prompt_cache_retention",
    b"service_tier",
    b"diagnostics",
    b"user_profile_id",
    b"workspace_id",
    b"requestMetadata",
    b"serviceTier",
];

/// Fields that a provider renders into the prompt, or that its cache keeps apart.
const RENDERED: &[&[u8]] = &[
    b"tool_choice",
    b"toolChoice",
    b"toolConfig",
    b"tool_config",
    b"parallel_tool_calls",
    b"thinking",
    b"thinkingConfig",
    b"reasoning",
    b"reasoning_effort",
    b"response_format",
    b"responseSchema",
    b"responseJsonSchema",
    b"output_format",
    b"output_config",
    b"text",
    b"verbosity",
    b"speed",
    b"functions",
    b"additionalModelRequestFields",
];

/// Bytes that hold most values, so that none but a long one is moved while it is written down.
const USUAL: usize = 32;

/// Collects parameters while a body is read.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Key and canonical value, one behind the other.
    others: Vec<Vec<u8>>,
    most_output: Option<u64>,
    temperature: Option<u32>,
    answers: Option<u32>,
    /// Members of an object of parameters that are rendered into the prompt.
    rendered: Vec<Vec<u8>>,
}

impl Collected {
    /// Reads a field that is no part of the prompt.
    pub(super) fn take(&mut self, key: &[u8], scanner: &mut Scanner<'_>) -> Result<(), Wrong> {
        self.note(key, scanner.clone());
        if NOT_OF_THE_ANSWER.contains(&key) {
            return scanner.skip().map(|_| ());
        }
        let mut entry = Vec::with_capacity(key.len() + USUAL);
        entry.extend_from_slice(key);
        entry.push(crate::scan::QUOTE);
        scanner.canonical(&mut entry)?;
        // `null` is how some clients say nothing.
        if !entry.ends_with(b"\xffnull") {
            self.others.push(entry);
        }
        Ok(())
    }

    fn note(&mut self, key: &[u8], mut scanner: Scanner<'_>) {
        let kind = scanner.kind();
        let holds_parameters = [&b"generationConfig"[..], b"generation_config", b"inferenceConfig"];
        if kind == Ok(Kind::Object) && holds_parameters.contains(&key) {
            return self.note_members(scanner).unwrap_or_default();
        }
        let Ok(Kind::Number) = kind else { return };
        let Ok(Ok(number)) = scanner.scalar().map(std::str::from_utf8) else { return };
        match key {
            // The newer name wins where both are given, as it does at the provider.
            b"max_completion_tokens" | b"max_output_tokens" | b"maxOutputTokens" => {
                self.most_output = number.parse().ok();
            }
            b"max_tokens" | b"maxTokens" => {
                self.most_output = self.most_output.or(number.parse().ok());
            }
            b"temperature" => self.temperature = permille(number),
            b"n" | b"candidateCount" => self.answers = number.parse().ok(),
            _ => {}
        }
    }

    /// Notes the members of an object of parameters.
    fn note_members(&mut self, mut scanner: Scanner<'_>) -> Result<(), Wrong> {
        let mut members = scanner.enter_object()?;
        while let Some(member) = scanner.member(&mut members)? {
            let name = member.key.decoded();
            self.note(&name, scanner.clone());
            match RENDERED.contains(&&*name) {
                true => {
                    let mut entry = name.to_vec();
                    entry.push(crate::scan::QUOTE);
                    scanner.canonical(&mut entry)?;
                    self.rendered.push(entry);
                }
                false => drop(scanner.skip()?),
            }
        }
        Ok(())
    }

    /// Names what is rendered into the prompt; zero if nothing is.
    fn rendered(&self, key: &Key) -> u64 {
        let name = |entry: &&Vec<u8>| {
            let name = entry.split(|byte| *byte == crate::scan::QUOTE).next();
            RENDERED.contains(&name.unwrap_or_default())
        };
        let mut parts: Vec<&Vec<u8>> =
            self.others.iter().filter(name).chain(&self.rendered).collect();
        if parts.is_empty() {
            return 0;
        }
        parts.sort_unstable();
        let parts: Vec<&[u8]> = parts.iter().flat_map(|e| [e.as_slice(), b"\xff"]).collect();
        key.digest_parts("rendered", &parts).word() | 1
    }

    /// The parameters, with a digest that does not depend on the order of fields.
    pub(super) fn finish(mut self, key: &Key) -> Parameters {
        self.others.sort_unstable();
        let rendered = self.rendered(key);
        let parts: Vec<&[u8]> = self.others.iter().flat_map(|e| [e.as_slice(), b"\xff"]).collect();
        Parameters {
            max_output_tokens: self.most_output,
            temperature_permille: self.temperature,
            answers: self.answers.unwrap_or(1),
            usage_in_stream: false,
            client_cache_options: false,
            digest: key.parameters(&parts),
            rendered: Some(rendered),
        }
    }
}

/// Parameters of a body that says nothing.
pub(super) fn none() -> Parameters {
    Parameters {
        max_output_tokens: None,
        temperature_permille: None,
        answers: 1,
        usage_in_stream: false,
        client_cache_options: false,
        digest: Digest::default(),
        rendered: None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
fn permille(number: &str) -> Option<u32> {
    let number: f64 = number.parse().ok()?;
    (0.0..=1e6).contains(&number).then(|| (number * 1000.0).round() as u32)
}
