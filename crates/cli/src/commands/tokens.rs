//! `scrimp tokens`: how many tokens a text or a request has.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use scrimp_analysis::report::count;
use scrimp_core::call::Dialect;
use scrimp_core::{Span, Time, UsageState};
use scrimp_store::Reader;
use scrimp_tokens::{Basis, Calibration, Corrected, Form, Part, Request, Sample, Vocabulary};
use scrimp_wire::{Key, dialect, prices};
use serde::Serialize;

use super::data_dir;
use super::price::{catalog, now};
use crate::args::Tokens;
use crate::ui;

/// Usage older than this tells little of what a vendor adds today.
const LEARNT_FROM: Span = Span::from_hours(30 * 24);

/// A count as scripts get it.
#[derive(Serialize)]
struct Answer {
    model: String,
    tokens: u64,
    exact: bool,
    /// `published`, `assumed`, `estimated`, or `calibrated` by recorded usage.
    basis: &'static str,
    /// How far off it may be, as a share; `null` where it is exact or nothing is known of it.
    error: Option<f64>,
    vocabulary: &'static str,
    /// From how many recorded calls it was corrected.
    calls: u32,
    parts: Vec<Told>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    what: &'static str,
    pieces: u64,
    tokens: u64,
    exact: bool,
}

/// `scrimp tokens FILE`
pub(crate) fn run(arguments: &Tokens) -> Result<()> {
    let text = read(&arguments.file)?;
    let request = Request::read(&text).ok();
    let named = request.as_ref().and_then(|request| request.model().map(str::to_owned));
    let model = arguments.model.clone().or(named).context("which model? --model MODEL")?;
    let vocabulary = vocabulary(&model)?;
    let mut answer = match &request {
        Some(request) => of_request(model, vocabulary, request),
        None => of_text(model, vocabulary, &text),
    };
    if !answer.exact
        && let Ok(data) = data_dir(&arguments.data)
        && let Ok(records) = Reader::open(&data)
    {
        correct(&mut answer, vocabulary, &records, &text, request.as_ref().map(Request::form))?;
    }
    match arguments.json.json {
        true => ui::print_json(&answer),
        false => ui::print(&table(&answer)?),
    }
}

fn read(file: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            bail!("{} is not text in UTF-8: it goes wrong at byte {at}", file.display())
        }
    }
}

/// That of a model: of its name, or a rough one where only its price is known.
fn vocabulary(model: &str) -> Result<Vocabulary> {
    if let Some(vocabulary) = Vocabulary::of_model(model) {
        return Ok(vocabulary);
    }
    prices::quote::resolve(&catalog(None)?, None, model, now())
        .context("nothing is known of such a model")?;
    Ok(Vocabulary::unknown())
}

fn of_text(model: String, vocabulary: Vocabulary, text: &str) -> Answer {
    let counted = vocabulary.count(text);
    let mut answer = empty(model, vocabulary);
    (answer.tokens, answer.exact) = (counted.tokens, counted.exact);
    answer
}

fn of_request(model: String, vocabulary: Vocabulary, request: &Request) -> Answer {
    let parts = request.count(vocabulary, &model);
    let mut answer = empty(model, vocabulary);
    answer.tokens = parts.iter().map(|part| part.tokens).sum();
    answer.exact = parts.iter().all(|part| part.exact);
    let told = |part: &Part| Told {
        what: part.kind.name(),
        pieces: part.pieces,
        tokens: part.tokens,
        exact: part.exact,
    };
    answer.parts = parts.iter().map(told).collect();
    if request.has_tools_or_images() {
        answer.notes.push("what tools and images are turned into is not documented".to_owned());
    }
    match request.images_of_unknown_size() {
        0 => {}
        n => answer.notes.push(format!("{n} images of unknown size: taken as 1024 by 1024")),
    }
    answer
}

fn empty(model: String, vocabulary: Vocabulary) -> Answer {
    let (basis, error) = match vocabulary.basis() {
        Basis::Published => ("published", None),
        Basis::Assumed => ("assumed", None),
        Basis::Estimated { error } => ("estimated", Some(error)),
    };
    let mut notes = Vec::new();
    match vocabulary.basis() {
        Basis::Published => {}
        Basis::Assumed => notes.push(format!(
            "the vendor has not said which vocabulary {model} has; {} is that of the models before",
            vocabulary.encoding()
        )),
        Basis::Estimated { .. } => notes.push(format!(
            "no vocabulary of {model} is carried: estimated over {}; usage recorded by the gateway \
             corrects it",
            vocabulary.encoding()
        )),
    }
    Answer {
        model,
        tokens: 0,
        exact: false,
        basis,
        error,
        vocabulary: vocabulary.encoding(),
        calls: 0,
        parts: Vec::new(),
        notes,
    }
}

/// Corrects an estimate by the usage that providers reported for recorded calls, where that is known
/// to be closer.
fn correct(
    answer: &mut Answer,
    vocabulary: Vocabulary,
    records: &Reader,
    text: &str,
    form: Option<Form>,
) -> Result<()> {
    let calibration = learnt(vocabulary, records);
    let key = Key::new(records.key()?);
    let Some(corrected) = corrected(&calibration, vocabulary, &key, text, form) else {
        return Ok(());
    };
    let Some(error) = corrected.error else { return Ok(()) };
    if vocabulary.basis() == Basis::Published {
        // The text is known to the token; only what its tools become is learnt.
        let tools = answer.parts.iter_mut().find(|part| part.what == "tools");
        if let Some(tools) = tools.filter(|_| 0 < corrected.tools) {
            answer.tokens = answer.tokens - tools.tokens + corrected.tools;
            tools.tokens = corrected.tools;
            (answer.basis, answer.calls) = ("calibrated", corrected.calls);
        }
        return Ok(());
    }
    if answer.error.is_some_and(|stated| stated <= error) {
        let calls = count(corrected.calls.into());
        answer.notes.push(format!("{calls} recorded calls do not tell enough to correct it"));
        return Ok(());
    }
    scale(&mut answer.parts, answer.tokens, corrected.tokens);
    answer.tokens = corrected.tokens;
    (answer.basis, answer.error) = ("calibrated", Some(error));
    answer.calls = corrected.calls;
    answer.notes.clear();
    Ok(())
}

/// What recorded calls of the same family tell.
fn learnt(vocabulary: Vocabulary, records: &Reader) -> Calibration {
    let mut calibration = Calibration::new();
    let now = now();
    let from = Time::from_nanos(now.nanos().saturating_sub(LEARNT_FROM.nanos()));
    // What cannot be read teaches nothing; `analyze` tells of it.
    for record in records.scan(from, Time::NEVER).flatten() {
        let is_whole = record.metering.state == UsageState::Measured && !record.metering.suspect;
        let is_one = record.attempts.len() == 1 && !record.call.prompt.is_empty();
        let model = &record.call.model;
        let same =
            || Vocabulary::of_model(model).is_some_and(|v| v.family() == vocabulary.family());
        if is_whole && is_one && same() {
            let sample = Sample::of_blocks(&record.call.prompt);
            calibration.learn(&sample, record.metering.usage.input());
        }
    }
    calibration
}

fn corrected(
    calibration: &Calibration,
    vocabulary: Vocabulary,
    key: &Key,
    text: &str,
    form: Option<Form>,
) -> Option<Corrected> {
    let dialect = match form {
        Some(Form::Input) => Dialect::OpenaiResponses,
        Some(Form::Contents) => Dialect::GeminiGenerate,
        _ if vocabulary.family().starts_with("claude") => Dialect::AnthropicMessages,
        Some(Form::Messages) | None => Dialect::OpenaiChat,
    };
    let sample = |body: &str| {
        let request = dialect::read(dialect, body.as_bytes(), key).ok()?;
        Some(Sample::of_blocks(&request.facts.prompt))
    };
    if form.is_some() {
        return Some(calibration.correct(&sample(text)?));
    }
    let body = serde_json::json!({"messages": [{"role": "user", "content": text}]});
    let around = Sample { messages: 1.0, ..Sample::default() };
    let found = calibration.correct(&sample(&body.to_string())?);
    let tokens = found.tokens.saturating_sub(calibration.correct(&around).tokens);
    Some(Corrected { tokens, ..found })
}

/// Parts as shares of a sum that was corrected.
fn scale(parts: &mut [Told], from: u64, to: u64) {
    let mut left = to;
    for part in parts.iter_mut() {
        let scaled = u128::from(part.tokens) * u128::from(to) / u128::from(from.max(1));
        part.tokens = u64::try_from(scaled).unwrap_or(u64::MAX).min(left);
        left -= part.tokens;
    }
    if let Some(last) = parts.last_mut() {
        last.tokens += left;
    }
}

/// Every digit: `1,660`.
fn whole(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    let mut text = digits[..first].to_owned();
    for three in digits.as_bytes()[first..].chunks(3) {
        text.push(',');
        text.extend(three.iter().map(|digit| char::from(*digit)));
    }
    text
}

fn table(answer: &Answer) -> Result<String> {
    let mark = |exact: bool| if exact { "" } else { "about " };
    let mut text = String::new();
    write!(text, "{}{} tokens", mark(answer.exact), whole(answer.tokens))?;
    match (answer.basis, answer.error) {
        ("calibrated", Some(error)) => {
            let calls = count(answer.calls.into());
            writeln!(text, " ±{:.0}%, corrected by {calls} recorded calls", error * 100.0)?;
        }
        ("calibrated", None) => {
            let calls = count(answer.calls.into());
            writeln!(text, " ({}; tools as in {calls} recorded calls)", answer.vocabulary)?;
        }
        (_, Some(error)) => writeln!(text, " ±{:.0}%", error * 100.0)?,
        (_, None) => writeln!(text, " ({})", answer.vocabulary)?,
    }
    for part in &answer.parts {
        let tokens = format!("{}{}", mark(part.exact), whole(part.tokens));
        writeln!(text, "  {:<10}{tokens:>14}  in {}", part.what, count(part.pieces))?;
    }
    text.push_str(&ui::notes(&answer.notes));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn every_digit_of_a_count_is_told() {
        let told = [0, 7, 999, 1_000, 12_345, 875_123, 1_000_000].map(whole);
        assert_eq!(told, ["0", "7", "999", "1,000", "12,345", "875,123", "1,000,000"]);
    }
}
