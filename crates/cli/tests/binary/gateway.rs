//! The gateway as a process, with simulated providers behind it: the whole loop, and how it stops.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::support::{Place, Server, fields};
use expect_test::expect;

const RULE: &str = "\n# mine\n[store]\nretention = \"7d\"\n";

/// A place with simulated providers and a configuration that leads to them.
fn with_providers() -> (Place, Server) {
    let place = Place::new();
    let sim = place.start(&["sim", "--fast", "--listen", "127.0.0.1:0"]);
    place.write("scrimp.toml", configuration(&sim.url));
    (place, sim)
}

fn configuration(url: &str) -> String {
    let providers = ["anthropic", "openai"];
    let tables = providers.map(|name| format!("[providers.{name}]\nbase_url = \"{url}\"\n"));
    tables.concat() + RULE
}

fn serve(place: &Place) -> Server {
    let files = ["--config", "scrimp.toml", "--data", "data"];
    place.start(&[&["serve"], &files[..], &["--listen", "127.0.0.1:0"]].concat())
}

/// Plays the beginning of a day of a coding agent's calls.
fn play(place: &Place, gateway: &Server) -> String {
    let calls = ["--play", "coding-agent", "--calls", "60", "--against", &gateway.url];
    place.run(&[&["sim"], &calls[..]].concat()).done()
}

#[test]
fn calls_pass_are_counted_and_are_on_disk_when_the_gateway_is_told_to_stop() {
    let (place, _sim) = with_providers();
    let gateway = serve(&place);
    assert!(gateway.greeting.contains("observing: edits, caches and retries nothing"));
    assert_eq!(play(&place, &gateway), "60 calls, 0 not answered\n");
    let answer = ask(&gateway, "POST /v1/messages", MESSAGE);
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("\r\nx-scrimp-id: "), "{head}");

    let down = || place.run(&["store", "step-down", "--data", "data"]);
    assert!(down().failed().contains("data is in use by process "));

    let url = gateway.url.clone();
    let (exit, greeting) = gateway.stop("-TERM");
    assert_eq!(exit, Some(0));
    expect![[r#"
        export OPENAI_BASE_URL=http://GATEWAY/v1
        export ANTHROPIC_BASE_URL=http://GATEWAY
        prompts: not stored   outbound: your providers only
    "#]]
    .assert_eq(&greeting.replace(&url, "http://GATEWAY"));
    expect![[r#"
        data: schema 4 now, for the Scrimp before this one; this one takes it up again when it writes there
    "#]]
    .assert_eq(&down().done());
    drop(serve(&place).stop("-TERM"));
    let found = place.run(&["analyze", "--data", "data", "--json"]).json();
    let totals = &found["totals"];
    assert_eq!((&totals["calls"], &totals["errors"]), (&61.into(), &0.into()), "{totals}");
    assert_eq!(totals["unpriced_calls"], 0);
    // The calls are found by themselves where they lie in the usual place.
    let bare = place.command(&[]).env("SCRIMP_DATA", place.path("data")).output().unwrap();
    assert!(String::from_utf8(bare.stdout).unwrap().contains("61 calls"));
}

const MESSAGE: &str =
    r#"{"model":"claude-opus-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

/// One call, as bytes.
fn ask(gateway: &Server, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let (host, length) = (gateway.address(), body.len());
    let head = format!("{line} HTTP/1.1\r\nhost: {host}\r\nx-api-key: k\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_finding_is_applied_and_taken_back_through_the_gateway_that_runs() {
    let (place, _sim) = with_providers();
    let before = place.read("scrimp.toml");
    let gateway = serve(&place);
    play(&place, &gateway);
    let unknown = place.run(&["apply", "F99", "--yes", "--data", "data"]).failed();
    assert!(unknown.contains("F99") && unknown.contains("F1"), "{unknown}");

    let applied = place.run(&["apply", "F1", "--share", "50%", "--yes", "--data", "data"]);
    expect![[r#"
        short cache mark at the prompt's end, all calls
        + [prompt_cache]
        + state = "on"
        + strategy = "tail"
        + ttl = "short"
        + share = 0.5

        50% of sessions, sticky. Stops by itself if dearer, or if errors rise.
    "#]]
    .assert_eq(&applied.err);
    assert_eq!(applied.done(), "journal #1        undo: scrimp undo 1 --data data\n");
    let after = place.read("scrimp.toml");
    assert!(after.starts_with(&before) && after.contains("share = 0.5\nexperiment = 1"), "{after}");

    early(&place);
    assert_eq!(place.run(&["undo", "1", "--data", "data"]).done(), "undone: #1\n");
    assert_eq!(place.read("scrimp.toml"), before);
    let again = place.run(&["undo", "1", "--data", "data"]).failed();
    assert!(again.contains("entry 1 has been undone already"), "{again}");
    assert_eq!(gateway.stop("-INT").0, Some(0));
}

#[test]
fn alone_it_analyses_records_and_transcripts_each_by_itself() {
    let (place, _sim) = with_providers();
    let gateway = place.start(&["serve", "--config", "scrimp.toml", "--listen", "127.0.0.1:0"]);
    play(&place, &gateway);
    assert_eq!(gateway.stop("-INT").0, Some(0));
    let only_records = place.run(&[]);
    assert!(only_records.err.starts_with("the gateway's records in "), "{}", only_records.err);
    let line = r#"{"type":"assistant","uuid":"u","timestamp":"2026-03-02T09:00:00Z","message":{"id":"msg_1","model":"claude-opus-4-5","usage":{"input_tokens":5,"output_tokens":9}}}"#;
    place.write("home/.claude/projects/x/one.jsonl", line);
    let both = place.run(&[]);
    assert!(both.err.contains("transcripts") && both.err.contains("records"), "{}", both.err);
    let said = both.done();
    assert!(said.starts_with("1 file, 1 call,"), "{said}");
    assert!(said.contains(&only_records.done()), "{said}");
}

/// What a proof says before there is anything to judge.
fn early(place: &Place) {
    let said = place.run(&["proof", "1", "--data", "data"]).done();
    // What can be read from a cache depends on which calls overlapped, and that on the machine.
    let (_, predicted) = said.split_once("predicted −").expect("a prediction");
    let (predicted, _) = predicted.split_once('%').expect("in per cent");
    assert!((80.0..95.0).contains(&predicted.parse::<f64>().unwrap()), "{said}");
    expect![[r#"
        #1 F1 short cache mark at the prompt's end, all calls
        predicted −…%   realised not known yet
        0 treated, 0 held out      saved unknown      TOO EARLY
    "#]]
    .assert_eq(&said.replace(predicted, "…"));
    let proofs = place.run(&["proof", "--data", "data", "--json"]).json();
    let proof = &proofs[0];
    assert_eq!((&proof["number"], &proof["verdict"]), (&1.into(), &"too_early".into()));
    assert!(proof["realised"].is_null() && proof["share"] == 0.5, "{proof}");
    for name in ["predicted", "low", "high", "treated_units", "held_out_units", "saved_usd"] {
        assert!(fields(proof).contains(&name), "{name}");
    }
    let none = place.run(&["proof", "7", "--data", "data"]).failed();
    assert_eq!(none, "error: the journal has no entry 7\n");
}

#[test]
fn a_finding_is_applied_and_taken_back_while_no_gateway_runs() {
    let (place, _sim) = with_providers();
    let before = place.read("scrimp.toml");
    let gateway = serve(&place);
    play(&place, &gateway);
    gateway.stop("-TERM");
    assert_eq!(place.run(&["proof", "--data", "data"]).done(), "nothing was applied yet\n");

    let into = ["--data", "data", "--config", "scrimp.toml"];
    let unasked = place.run(&[&["apply", "F1"], &into[..]].concat()).failed();
    assert!(unasked.ends_with("error: not applied; `--yes` applies without asking\n"), "{unasked}");
    assert_eq!(place.read("scrimp.toml"), before);

    let yes = ["apply", "F1", "--share", "50%", "--yes"];
    expect![[r#"
        journal #1 in scrimp.toml        undo: scrimp undo 1 --data data
    "#]]
    .assert_eq(&place.run(&[&yes[..], &into].concat()).done());
    assert!(place.read("scrimp.toml").contains("experiment = 1"));
    expect![[r#"
        undone: #1 F1 short cache mark at the prompt's end, all calls
    "#]]
    .assert_eq(&place.run(&["undo", "1", "--data", "data"]).done());
    assert_eq!(place.read("scrimp.toml"), before);

    // Without a file of one's own, the rule lies in the data directory.
    expect![[r#"
        journal #2 in data/applied.toml        undo: scrimp undo 2 --data data
    "#]]
    .assert_eq(&place.run(&[&yes[..], &into[..2]].concat()).done());
    assert!(place.read("data/applied.toml").contains("experiment = 2"));
    place.run(&["undo", "2", "--data", "data"]).done();
    assert!(!place.path("data/applied.toml").exists(), "nothing is applied, so nothing is left");
}

#[test]
fn a_gateway_s_policies_step_aside_and_back() {
    let (place, _sim) = with_providers();
    let said = place.run(&["bypass", "on", "--data", "data"]).failed();
    expect![[r#"
        error: no gateway runs on data
        hint: bypass lasts as long as a gateway; without one nothing acts
    "#]]
    .assert_eq(&said);
    let gateway = serve(&place);
    expect![[r#"
        bypass is on: no policy decides, calls pass unedited and are counted
        until `scrimp bypass off`, or the gateway's next start
    "#]]
    .assert_eq(&place.run(&["bypass", "on", "--data", "data"]).done());
    assert!(ask(&gateway, "GET /healthz", "").ends_with("\r\n\r\nok; bypass is on\n"));
    let off = place.run(&["bypass", "off", "--data", "data", "--json"]).json();
    assert_eq!(off, serde_json::json!({ "bypass": false }));
    assert!(ask(&gateway, "GET /healthz", "").ends_with("\r\n\r\nok\n"));
}

#[test]
fn nothing_is_made_where_there_is_nothing_to_take_back() {
    let place = Place::new();
    let said = place.run(&["undo", "3", "--data", "data"]).failed();
    expect![[r#"
        error: data holds no store; start `scrimp serve` with it once
        hint: another data directory is named with --data DIR, or by SCRIMP_DATA
    "#]]
    .assert_eq(&said);
    assert!(!place.path("data").exists());
}

#[test]
fn a_second_gateway_on_the_same_directory_is_refused() {
    let place = Place::new();
    let first = place.start(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]);
    let second = place.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]).failed();
    let pid = first.pid().to_string();
    expect![[r#"
        error: the data directory cannot be used: data is in use by process PID; stop that one, or choose another directory with --data
    "#]].assert_eq(&second.replace(&pid, "PID"));
    assert_eq!(first.stop("-INT").0, Some(0));
}

#[test]
fn a_start_that_cannot_be_is_refused_with_the_reason() {
    let place = Place::new();
    place.write("wrong.toml", "[listen]\nadress = \"x\"\n");
    let wrong = place.run(&["serve", "--config", "wrong.toml", "--data", "data"]).failed();
    expect![[r#"
        error: wrong.toml:2:1: unknown field `adress`, expected one of `address`, `hosts`, `control_token`, `tokens`, `tls`, `workers`; did you mean `address`?
        hint: `scrimp config reference` lists every setting
    "#]].assert_eq(&wrong);
    assert!(!place.path("data").exists(), "nothing is made before the configuration is right");

    place.write("file", "");
    expect![[r#"
        error: the data directory cannot be used: file/data: Not a directory (os error 20)
        hint: another data directory is named with --data DIR, or by SCRIMP_DATA
    "#]]
    .assert_eq(&place.run(&["serve", "--data", "file/data"]).failed());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = place.run(&["serve", "--data", "data", "--listen", &address]).failed();
    expect![[r#"
        error: cannot listen on ADDRESS: Address already in use (os error 98)
        hint: another address can be given with --listen
    "#]]
    .assert_eq(&refused.replace(&address, "ADDRESS"));
    let open = place.run(&["serve", "--data", "data", "--listen", "0.0.0.0:0"]).failed();
    expect![[r#"
        error: --listen: listening on 0.0.0.0:0, which is not loopback, needs `control_token` in [listen]
        hint: another address can be given with --listen
    "#]].assert_eq(&open);
}

#[test]
fn playing_against_nothing_says_so() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let against = format!("http://{free}");
    let said = place.run(&["sim", "--play", "rag", "--against", &against]).failed();
    assert!(said.contains(&format!("nothing answers at {free}")), "{said}");
}
