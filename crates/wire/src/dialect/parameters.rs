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
            self.note(&member.key.decoded(), scanner.clone());
            scanner.skip()?;
        }
        Ok(())
    }

    /// The parameters, with a digest that does not depend on the order of fields.
    pub(super) fn finish(mut self, key: &Key) -> Parameters {
        self.others.sort_unstable();
        let parts: Vec<&[u8]> = self.others.iter().flat_map(|e| [e.as_slice(), b"\xff"]).collect();
        Parameters {
            max_output_tokens: self.most_output,
            temperature_permille: self.temperature,
            answers: self.answers.unwrap_or(1),
            usage_in_stream: false,
            client_cache_options: false,
            digest: key.parameters(&parts),
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
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
fn permille(number: &str) -> Option<u32> {
    let number: f64 = number.parse().ok()?;
    (0.0..=1e6).contains(&number).then(|| (number * 1000.0).round() as u32)
}
