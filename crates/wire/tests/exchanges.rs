//! Exchanges: what a request says, and what an answer used, wherever its bytes were cut.
//!
//! Made by hand after the vendors' documented formats of November 2026, not recorded. A snapshot lies beside each; after a wanted
//! change, `UPDATE_EXPECT=1 cargo test -p scrimp-wire` writes them anew.

mod frames;

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use expect_test::expect_file;
use proptest::prelude::*;
use scrimp_core::flight::Outcome;
use scrimp_core::{Block, Delivery, Dialect, Time, UsageState};
use scrimp_wire::Key;
use scrimp_wire::dialect::{self, DIALECTS};
use scrimp_wire::meter::{End, Framing, Meter, UsageChunkFilter, estimate};

struct Exchange {
    name: &'static str,
    status: u16,
    request: &'static [u8],
    framing: Framing,
    /// The answer as it stands in its file.
    text: &'static str,
    response: &'static [u8],
}

macro_rules! exchange {
    ($name:literal, $status:literal, $kind:literal) => {
        Exchange::new(
            ($name, $status, $kind),
            include_bytes!(concat!("exchanges/", $name, ".request.json")),
            include_str!(concat!("exchanges/", $name, ".response.", $kind)),
        )
    };
}

static EXCHANGES: LazyLock<Vec<Exchange>> = LazyLock::new(all);

fn all() -> Vec<Exchange> {
    vec![
        exchange!("chat_audio", 200, "json"),
        exchange!("chat_by_cerebras", 200, "json"),
        exchange!("chat_by_deepseek", 200, "json"),
        exchange!("chat_by_fireworks_stream", 200, "txt"),
        exchange!("chat_by_groq_stream", 200, "txt"),
        exchange!("chat_by_groq_unasked_stream", 200, "txt"),
        exchange!("chat_by_llamacpp_stream", 200, "txt"),
        exchange!("chat_by_mistral", 200, "json"),
        exchange!("chat_by_ollama", 200, "json"),
        exchange!("chat_by_openrouter_stream", 200, "txt"),
        exchange!("chat_by_together", 200, "json"),
        exchange!("chat_by_vllm", 200, "json"),
        exchange!("chat_by_xai", 200, "json"),
        exchange!("chat_cache_read_stream", 200, "txt"),
        exchange!("chat_cache_write", 200, "json"),
        exchange!("chat_error_429", 429, "json"),
        exchange!("chat_hostile_usage", 200, "json"),
        exchange!("chat_image", 200, "json"),
        exchange!("chat_plain", 200, "json"),
        exchange!("chat_reasoning", 200, "json"),
        exchange!("chat_reasoning_stream_compatible", 200, "txt"),
        exchange!("chat_stream", 200, "txt"),
        exchange!("chat_stream_error", 200, "txt"),
        exchange!("chat_stream_no_done", 200, "txt"),
        exchange!("chat_stream_truncated", 200, "txt"),
        exchange!("chat_stream_without_usage", 200, "txt"),
        exchange!("chat_tools_stream", 200, "txt"),
        exchange!("completions_plain", 200, "json"),
        exchange!("completions_stream", 200, "txt"),
        exchange!("converse_cache", 200, "json"),
        exchange!("converse_cache_stream", 200, "frames"),
        exchange!("converse_documents", 200, "json"),
        exchange!("converse_error_429", 429, "json"),
        exchange!("converse_exception_stream", 200, "frames"),
        exchange!("converse_hostile", 200, "json"),
        exchange!("converse_hostile_stream", 200, "frames"),
        exchange!("converse_no_metadata_stream", 200, "frames"),
        exchange!("converse_plain", 200, "json"),
        exchange!("converse_reasoning_stream", 200, "frames"),
        exchange!("converse_stream", 200, "frames"),
        exchange!("converse_tools", 200, "json"),
        exchange!("converse_tools_stream", 200, "frames"),
        exchange!("converse_truncated_stream", 200, "frames"),
        exchange!("count_tokens_plain", 200, "json"),
        exchange!("embed_batch", 200, "json"),
        exchange!("embed_plain", 200, "json"),
        exchange!("embeddings_plain", 200, "json"),
        exchange!("embeddings_tokens", 200, "json"),
        exchange!("generate_array", 200, "json"),
        exchange!("generate_call_stream", 200, "txt"),
        exchange!("generate_error_429", 429, "json"),
        exchange!("generate_hostile", 200, "json"),
        exchange!("generate_plain", 200, "json"),
        exchange!("generate_tools_stream", 200, "txt"),
        exchange!("generate_truncated_stream", 200, "txt"),
        exchange!("invoke_nova_stream", 200, "frames"),
        exchange!("messages_cache_1h_stream", 200, "txt"),
        exchange!("messages_compaction", 200, "json"),
        exchange!("messages_error_529", 529, "json"),
        exchange!("messages_fast_us", 200, "json"),
        exchange!("messages_hostile_stream", 200, "txt"),
        exchange!("messages_image", 200, "json"),
        exchange!("messages_invoke_exception_stream", 200, "frames"),
        exchange!("messages_invoke_stream", 200, "frames"),
        exchange!("messages_invoke_tools_stream", 200, "frames"),
        exchange!("messages_invoke_truncated_stream", 200, "frames"),
        exchange!("messages_local_stream", 200, "txt"),
        exchange!("messages_plain", 200, "json"),
        exchange!("messages_server_tool_stream", 200, "txt"),
        exchange!("messages_stream", 200, "txt"),
        exchange!("messages_stream_error", 200, "txt"),
        exchange!("messages_stream_truncated", 200, "txt"),
        exchange!("messages_thinking_stream", 200, "txt"),
        exchange!("messages_tools_stream", 200, "txt"),
        exchange!("other_embeddings", 200, "json"),
        exchange!("other_responses_stream", 200, "txt"),
        exchange!("responses_error_stream", 200, "txt"),
        exchange!("responses_failed_stream", 200, "txt"),
        exchange!("responses_incomplete_stream", 200, "txt"),
        exchange!("responses_plain", 200, "json"),
        exchange!("responses_tools_stream", 200, "txt"),
        exchange!("responses_truncated_stream", 200, "txt"),
    ]
}

impl Exchange {
    fn new(
        (name, status, kind): (&'static str, u16, &str),
        request: &'static [u8],
        text: &'static str,
    ) -> Exchange {
        let (framing, response) = match kind {
            "txt" => (Framing::Sse, text.as_bytes()),
            "frames" => (Framing::EventStream, &*frames::written(text).leak()),
            _ => (Framing::Whole, text.as_bytes()),
        };
        Exchange { name, status, request, framing, text, response }
    }

    fn dialect(&self) -> Dialect {
        let row = DIALECTS
            .iter()
            .find(|row| self.name.strip_prefix(row.name).is_some_and(|rest| rest.starts_with('_')));
        row.map_or(Dialect::Other, |row| row.dialect)
    }

    /// Meters the answer in pieces of these lengths, the rest in one. Every piece comes at the same
    /// time, so that outcomes can be compared.
    fn metered(&self, response: &[u8], cuts: &[usize]) -> (Outcome, Meter) {
        let mut meter = Meter::new(self.dialect(), self.framing, self.status);
        let mut rest = response;
        for cut in cuts {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            meter.see(piece, Time::EPOCH);
            rest = after;
        }
        meter.see(rest, Time::EPOCH);
        (meter.outcome(End::Complete), meter)
    }
}

fn key() -> Key {
    Key::new([7; 32])
}

fn line(block: &Block) -> String {
    let Block {
        role,
        content,
        digest,
        chunks,
        characters,
        tokens,
        features,
        outline,
        mark,
        markable,
    } = block;
    let outline = outline.as_ref().map_or(String::new(), |outline| {
        let looks: Vec<_> = outline.spans.iter().map(|span| span.look).collect();
        format!(" spans={looks:?} tools={}", outline.tools.len())
    });
    let mark = mark.map_or(String::new(), |mark| format!(" mark={mark:?}"));
    let features = features.as_ref().map_or(String::new(), |features| {
        let (numbers, names) = (features.numbers.len(), features.names.len());
        format!(" numbers={numbers} names={names} negations={}", features.negations)
    });
    format!(
        "  {role:?} {content:?} {characters} characters {tokens} tokens {} chunks{}{mark}{features}{outline} {:.8}",
        chunks.len(),
        if *markable { " markable" } else { "" },
        digest.to_string()
    )
}

fn described(exchange: &Exchange) -> String {
    let facts = dialect::read(exchange.dialect(), exchange.request, &key());
    let facts = facts.expect("these requests are well formed").facts;
    let mut out = format!(
        "{} {:?} session={:?} user={:?}\n{:?}\n",
        facts.model, facts.delivery, facts.session, facts.user, facts.parameters
    );
    for block in &facts.prompt {
        writeln!(out, "{}", line(block)).expect("strings take everything");
    }
    let (outcome, meter) = exchange.metered(exchange.response, &[]);
    let Outcome {
        metering,
        charged,
        model,
        terms,
        finish,
        truncated,
        first_content,
        last_content,
        waited: _,
    } = outcome;
    let usage = metering.usage;
    if let Some(charged) = charged {
        writeln!(out, "charged {charged}").expect("strings take everything");
    }
    write!(
        out,
        "{:?} suspect={} {usage:?}\n{model:?} {terms:?} finish={finish:?} truncated={truncated} \
         content={}\ncharacters={} error={:?} malformed={}\n",
        metering.state,
        metering.suspect,
        first_content.is_some() && last_content.is_some(),
        meter.characters(),
        meter.error(),
        meter.is_malformed(),
    )
    .expect("strings take everything");
    out
}

#[test]
fn facts_and_outcomes_are_as_expected() {
    for exchange in &*EXCHANGES {
        expect_file![format!("exchanges/{}.expected.txt", exchange.name)]
            .assert_eq(&described(exchange));
    }
}

#[test]
fn every_dialect_has_exchanges_streamed_and_whole() {
    for row in DIALECTS {
        let has = |delivery: Delivery| {
            EXCHANGES.iter().any(|e| e.dialect() == row.dialect && e.framing.delivery() == delivery)
        };
        assert!(has(Delivery::Whole), "{} has no exchange", row.path);
        let is_streamed = !matches!(
            row.dialect,
            Dialect::AnthropicCountTokens | Dialect::OpenaiEmbeddings | Dialect::GeminiEmbed
        );
        assert_eq!(has(Delivery::Stream), is_streamed, "{} has no streamed exchange", row.path);
    }
}

#[test]
fn cutting_at_every_single_byte_changes_nothing() {
    for exchange in &*EXCHANGES {
        let (whole, _) = exchange.metered(exchange.response, &[]);
        let bytes = vec![1; exchange.response.len()];
        assert_eq!(exchange.metered(exchange.response, &bytes).0, whole, "{}", exchange.name);
        for at in 0..exchange.response.len() {
            let (cut, _) = exchange.metered(exchange.response, &[at]);
            assert_eq!(cut, whole, "{} cut at {at}", exchange.name);
        }
    }
}

#[test]
fn a_flipped_bit_of_a_frame_is_seen_and_breaks_nothing() {
    for exchange in EXCHANGES.iter().filter(|e| e.framing == Framing::EventStream) {
        let mut response = exchange.response.to_vec();
        for at in 0..response.len() {
            response[at] ^= 1 << (at % 8);
            let (outcome, _) = exchange.metered(&response, &[]);
            assert!(outcome.truncated, "{} with byte {at} changed", exchange.name);
            response[at] = exchange.response[at];
        }
    }
}

#[test]
fn the_filter_takes_the_usage_chunk_and_nothing_else() {
    for exchange in EXCHANGES.iter().filter(|e| e.framing == Framing::Sse) {
        let mut filter = UsageChunkFilter::new();
        let mut out = filter.pass(&Bytes::from_static(exchange.response)).to_vec();
        out.extend(filter.finish());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (before, after) = (text(exchange.response), text(&out));
        if !before.contains("\"choices\":[],\"usage\":{") {
            // Whoever was asked for usage puts a null into every other chunk.
            assert_eq!(after, before.replace(",\"usage\":null", ""));
            continue;
        }
        assert!(!after.contains("\"choices\":[],\"usage\":{"));
        assert_eq!(after.matches("data:").count() + 1, before.matches("data:").count());
        let (filtered, meter) = exchange.metered(&out, &[]);
        assert_eq!(filtered.metering.state, UsageState::Unknown);
        assert_eq!(estimate(filtered.metering, 100, meter.characters()).usage.uncached, 100);
    }
}

fn mutated() -> impl Strategy<Value = (usize, Vec<(usize, u8)>, Vec<usize>)> {
    (
        0..EXCHANGES.len(),
        prop::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        prop::collection::vec(0_usize..400, 0..8),
    )
}

fn mutate(bytes: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte) in changes {
        let at = at % bytes.len().max(1);
        match byte % 4 {
            0 => drop(bytes.drain(at..(at + 7).min(bytes.len()))),
            1 => bytes.insert(at.min(bytes.len()), *byte),
            2 => bytes.truncate(at),
            _ => bytes.get_mut(at).into_iter().for_each(|place| *place = *byte),
        }
    }
    bytes
}

fn is_believable(outcome: &Outcome) -> bool {
    let most = 1_u64 << 44;
    let usage = &outcome.metering.usage;
    usage.input() < most && usage.total_output() < most
}

proptest! {
    #[test]
    fn broken_exchanges_break_nothing((at, changes, cuts) in mutated()) {
        let exchange = &EXCHANGES[at];
        let response = mutate(exchange.response, &changes);
        let (outcome, _) = exchange.metered(&response, &cuts);
        prop_assert_eq!(&outcome, &exchange.metered(&response, &[]).0);
        prop_assert!(is_believable(&outcome));

        let body = Bytes::from(mutate(exchange.request, &changes));
        // The scanner and serde_json agree on what is JSON, but for what only one of them refuses:
        // duplicate keys, odd types, lone surrogates, depth and numbers without end.
        let read = dialect::read(exchange.dialect(), &body, &key());
        if let (Ok(request), true) = (&read, exchange.dialect() != Dialect::Other) {
            let parsed = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&body);
            let is_surrogate = parsed.as_ref().is_err_and(|e| e.to_string().contains("surrogate"));
            prop_assert!(parsed.is_ok() || is_surrogate, "{:?}", parsed);
            let untouched = dialect::edit(&body, exchange.dialect(), &request.layout, &[]).unwrap();
            prop_assert_eq!(untouched, body);
        }
    }

    /// A change that the checksums tell never reaches what reads the payload.
    #[test]
    fn broken_payloads_of_good_frames_break_nothing((at, changes, cuts) in mutated()) {
        let framed = EXCHANGES.iter().filter(|e| e.framing == Framing::EventStream);
        let exchange = framed.cycle().nth(at).expect("there are some");
        let response = frames::changed(exchange.text, |payload| mutate(payload, &changes));
        let (outcome, _) = exchange.metered(&response, &cuts);
        prop_assert_eq!(&outcome, &exchange.metered(&response, &[]).0);
        prop_assert!(is_believable(&outcome));
    }

    #[test]
    fn arbitrary_bytes_break_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cut in 0_usize..300,
    ) {
        for framing in [Framing::Whole, Framing::Sse, Framing::EventStream] {
            let exchange = EXCHANGES.iter().find(|e| e.framing == framing).expect("there are some");
            exchange.metered(&bytes, &[cut]);
            let read = dialect::read(exchange.dialect(), &bytes, &key());
            prop_assert!(read.is_err() || exchange.dialect() == Dialect::Other || bytes[0] != b'x');
        }
    }
}
