//! `scrimp tokens`: exact counts, estimates and their correction by recorded usage.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Place, fields};
use expect_test::expect;

const CHAT: &str = r#"{"model": "gpt-4o", "messages": [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"}],
    "tools": [{"type": "function", "function": {"name": "search",
        "description": "Searches the web.", "parameters": {"type": "object",
        "properties": {"query": {"type": "string"}}}}}]}"#;

#[test]
fn a_text_is_counted_to_the_token_where_the_vocabulary_is_published() {
    let place = Place::new();
    place.write("hello.txt", "The quick brown fox jumps over the lazy dog.");
    let counted = |model: &str| place.run(&["tokens", "hello.txt", "--model", model]).done();
    expect![[r#"
        10 tokens (o200k_base)
    "#]]
    .assert_eq(&counted("gpt-4o"));
    expect![[r#"
        about 10 tokens (o200k_base)
        note: the vendor has not said which vocabulary gpt-6-sol has; o200k_base is that of the models
              before
    "#]].assert_eq(&counted("gpt-6-sol"));
    expect![[r#"
        about 13 tokens ±20%
        note: no vocabulary of anthropic/claude-opus-5-5 is carried: estimated over o200k_base; usage
              recorded by the gateway corrects it
    "#]].assert_eq(&counted("anthropic/claude-opus-5-5"));
    let json = place.run_with(&["tokens", "-", "--model", "gpt-4", "--json"], b"hello world");
    let found = json.json();
    expect!["basis calls error exact model notes parts tokens vocabulary"]
        .assert_eq(&fields(&found).join(" "));
    assert_eq!((&found["tokens"], &found["exact"]), (&2.into(), &true.into()));
}

#[test]
fn a_request_is_counted_part_by_part() {
    let place = Place::new();
    place.write("chat.json", CHAT);
    expect![[r#"
        about 49 tokens (o200k_base)
          system                 7  in 1
          tools           about 25  in 1
          messages               8  in 1
          overhead               9  in 2
        note: what tools and images are turned into is not documented
    "#]]
    .assert_eq(&place.run(&["tokens", "chat.json"]).done());
}

#[test]
fn what_cannot_be_counted_says_why() {
    let place = Place::new();
    place.write("latin.txt", b"caf\xe9");
    place.write("hello.txt", "hello");
    let refused = |arguments: &[&str]| place.run(&[&["tokens"], arguments].concat()).failed();
    expect![[r#"
        error: latin.txt is not text in UTF-8: it goes wrong at byte 3
    "#]]
    .assert_eq(&refused(&["latin.txt", "--model", "gpt-4o"]));
    expect![[r#"
        error: which model? --model MODEL
    "#]]
    .assert_eq(&refused(&["hello.txt"]));
    expect![[r#"
        error: nothing is known of such a model: no price is known for `claud-opus-4-5`; did you mean anthropic/claude-opus-4-5, anthropic/claude-opus-4-0, anthropic/claude-opus-4-1, anthropic/claude-opus-4-6, anthropic/claude-opus-4-7?
    "#]].assert_eq(&refused(&["hello.txt", "--model", "claud-opus-4-5"]));
    expect![[r#"
        error: missing.txt: No such file or directory (os error 2)
    "#]]
    .assert_eq(&refused(&["missing.txt", "--model", "gpt-4o"]));
}

#[test]
fn a_megabyte_of_one_letter_is_counted() {
    let place = Place::new();
    place.write("a.txt", "a".repeat(1_000_000));
    let found = place.run(&["tokens", "a.txt", "--model", "gpt-4o", "--json"]).json();
    assert_eq!((&found["tokens"], &found["exact"]), (&125_000.into(), &true.into()));
}

/// What a simulated vendor reports, whose tokens are neither ours nor public.
#[test]
fn an_estimate_is_within_five_percent_after_fifty_recorded_calls() {
    let place = Place::new();
    let sim = place.start(&["sim", "--fast", "--listen", "127.0.0.1:0"]);
    let base = format!("base_url = \"{}\"\n", sim.url);
    place.write("scrimp.toml", format!("[providers.anthropic]\n{base}[providers.openai]\n{base}"));
    let files = ["serve", "--config", "scrimp.toml", "--data", "data", "--listen", "127.0.0.1:0"];
    let gateway = place.start(&files);
    for n in 0..50 {
        let answer = post(gateway.address(), "/v1/messages", &question(n));
        assert!(answer.contains("200 OK"), "{answer}");
    }
    gateway.stop("-TERM");
    let (mut worst, mut before): (f64, f64) = (0.0, 0.0);
    for n in 50..70 {
        let body = question(n);
        let truth = post(sim.address(), "/v1/messages/count_tokens", &body);
        let truth: f64 =
            truth.rsplit(':').next().unwrap().trim_end_matches('}').trim().parse().unwrap();
        let counted = |data: &str| {
            let arguments = ["tokens", "-", "--json", "--data", data];
            let found = place.run_with(&arguments, body.as_bytes()).json();
            let wrong = found["tokens"].as_f64().unwrap() / truth - 1.0;
            (wrong.abs(), found)
        };
        let (wrong, found) = counted("data");
        assert_eq!(
            (&found["basis"], &found["calls"]),
            (&"calibrated".into(), &50.into()),
            "{found}"
        );
        worst = worst.max(wrong);
        before = before.max(counted("none").0);
    }
    let priced = place.run(&["price", "gpt-4o", "--traffic", "data", "--json"]).json();
    assert_eq!((&priced["calls"], &priced["models"][0]["ratio"]), (&50.into(), &1.0.into()));
    assert!(priced["recorded_usd"].is_string() && priced["calls_per_day"].is_null(), "{priced}");
    println!("at most {worst:.4} off, {before:.4} without usage");
    assert!(worst < 0.05 && worst < before, "{worst}, {before} without usage");
}

/// A support agent's question: the same instructions and tools, another text each time.
fn question(n: usize) -> String {
    let words: Vec<&str> = TEXT.split_whitespace().collect();
    let text: Vec<&str> =
        words.iter().cycle().skip(n * 7).take(40 + n * 13 % 150).copied().collect();
    serde_json::json!({
        "model": "claude-opus-4-5", "max_tokens": 9,
        "system": "You help customers of a shop that sells bicycles. Be brief, polite and exact.",
        "tools": [{"name": "find_order", "description": "Finds an order by its number.",
            "input_schema": {"type": "object", "properties": {"number": {"type": "string"}}}}],
        "messages": [{"role": "user", "content": text.join(" ")}],
    })
    .to_string()
}

const TEXT: &str = "I ordered a blue city bike three weeks ago and it has still not arrived at my \
    house. The tracking page says that the parcel was handed to the carrier on the 4th, but nobody \
    there knows about order 48213. Could you please find out where it is and tell me whether I can \
    change the address? I am moving on Friday, and my neighbour (who usually takes parcels) is on \
    holiday until the 21st. If it is lost, I would rather have my money back than wait for another \
    one; your terms say that refunds take 14 days. Thanks a lot, and sorry for all these questions!";

fn post(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: k\r\n");
    let length = body.len();
    write!(stream, "{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
