//! `scrimp whatif` and `scrimp analyze` over files of logs.

use std::io::Write as _;

use crate::support::{Place, fields, sample};
use expect_test::{Expect, expect};

const MODES: &str = "none,client,system:short,system:long,tail:short,tail:long,bound";
const LINE: &str =
    r#"{"timestamp": 0, "input_length": 600, "output_length": 9, "hash_ids": [1, 2]}"#;

#[test]
fn each_mode_has_a_row() {
    let said = Place::new().run(&["whatif", &sample("")]).done();
    expect![[r#"
        13 calls

        policy          input  ÷ no caching  read from cache  with output     basis
        none            $0.95        1.0000             0.0%        $1.02  replayed
        client        unknown             –                –      unknown  replayed
        system:short    $0.85        0.8962            15.1%        $0.92  replayed
        system:long     $0.79        0.8292            23.8%        $0.86  replayed
        tail:short      $0.59        0.6237            54.5%        $0.67  replayed
        tail:long       $0.48        0.5034            78.8%        $0.55  replayed
        auto            $0.54        0.5654            60.9%        $0.61  replayed
        bound           $0.37        0.3957                –        $0.45  modelled

        note: 13 calls with unknown block boundaries: look-back not modelled
        note: agent-session: what was read from a cache is not recorded: costs are those without prompt
              caching
    "#]].assert_eq(&said);
}

#[test]
fn a_narrow_terminal_keeps_the_costs_and_breaks_the_notes() {
    let place = Place::new();
    for file in 0..8 {
        place.write(&format!("logs/notes-{file}.txt"), "not a log\n");
    }
    std::fs::copy(sample("brisk.json"), place.path("logs/brisk.json")).unwrap();
    let narrow = place.command(&["whatif", "logs"]).env("COLUMNS", "40").output().unwrap();
    expect![[r#"
        8 calls

        policy          input  ÷ no caching
        none            $0.63        1.0000
        client        unknown             –
        system:short    $0.51        0.8041
        system:long     $0.52        0.8284
        tail:short      $0.20        0.3121
        tail:long       $0.28        0.4504
        auto            $0.20        0.3121
        bound           $0.19        0.3079

        note: 8 calls with unknown block
              boundaries: look-back not modelled
        note: logs/notes-0.txt was not read: it
              is none of the known formats (name
              the file itself to see why)
        note: logs/notes-1.txt was not read: it
              is none of the known formats (name
              the file itself to see why)
        note: logs/notes-2.txt was not read: it
              is none of the known formats (name
              the file itself to see why)
        note: logs/notes-3.txt was not read: it
              is none of the known formats (name
              the file itself to see why)
        note: logs/notes-4.txt was not read: it
              is none of the known formats (name
              the file itself to see why)
        note: 3 more files not read
        note: agent-session: what was read from
              a cache is not recorded: costs are
              those without prompt caching
    "#]]
    .assert_eq(&String::from_utf8(narrow.stdout).unwrap());
}

#[test]
fn scripts_get_the_rows_that_they_rest_on() {
    let arguments = ["whatif", &sample("brisk.json"), "--prompt-cache", MODES, "--json"];
    let found = Place::new().run(&arguments).json();
    assert_eq!(found["calls"], 8);
    let rows = found["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["policy"].as_str().unwrap()).collect();
    assert_eq!(names.join(","), MODES);
    for row in rows {
        let stable = ["basis", "hit_share", "input_ratio", "input_usd", "policy", "total_usd"];
        assert_eq!(fields(row), stable);
    }
    expect![[r#"
        {"basis":"replayed","hit_share":0.0,"input_ratio":1.0,"input_usd":"0.6324","policy":"none","total_usd":"0.6794"}
        {"basis":"replayed","hit_share":null,"input_ratio":null,"input_usd":null,"policy":"client","total_usd":null}
        {"basis":"replayed","hit_share":0.2266919671094244,"input_ratio":0.8040733712839975,"input_usd":"0.508496","policy":"system:short","total_usd":"0.555496"}
        {"basis":"replayed","hit_share":0.2266919671094244,"input_ratio":0.8283617963314358,"input_usd":"0.523856","policy":"system:long","total_usd":"0.570856"}
        {"basis":"replayed","hit_share":0.8155597722960152,"input_ratio":0.31210626185958257,"input_usd":"0.197376","policy":"tail:short","total_usd":"0.244376"}
        {"basis":"replayed","hit_share":0.8155597722960152,"input_ratio":0.4504364326375712,"input_usd":"0.284856","policy":"tail:long","total_usd":"0.331856"}
        {"basis":"modelled","hit_share":null,"input_ratio":0.3078605313092979,"input_usd":"0.194691","policy":"bound","total_usd":"0.241691"}"#]].assert_eq(&rows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn policy_files_are_rows_beside_the_baseline() {
    let place = Place::new();
    place.write("tail.toml", "[prompt_cache]\nstate = \"on\"\nstrategy = \"tail\"\nttl = \"1h\"\n");
    place.write("off.toml", "");
    let logs = sample("");
    let files = ["whatif", &logs, "--policies", "tail.toml", "off.toml"];
    expect![[r#"
        13 calls

        policy       input  ÷ no caching  read from cache  with output     basis
        none         $0.95        1.0000             0.0%        $1.02  replayed
        client     unknown             –                –      unknown  replayed
        tail.toml    $0.48        0.5034            78.8%        $0.55  replayed
        off.toml     $0.95        1.0000             0.0%        $1.02  replayed

        note: 13 calls with unknown block boundaries: look-back not modelled
        note: agent-session: what was read from a cache is not recorded: costs are those without prompt
              caching
    "#]].assert_eq(&place.run(&files).done());

    let mode =
        ["whatif", &logs, "--prompt-cache", "tail:long", "--policies", "tail.toml", "--json"];
    let rows = &place.run(&mode).json()["rows"];
    assert_eq!(rows[0]["input_usd"], rows[1]["input_usd"], "the same rule, written differently");

    place.write("wrong.toml", "[prompt_cache]\nstrategy = \"tial\"\n");
    let wrong = place.run(&["whatif", &logs, "--policies", "wrong.toml"]).failed();
    assert!(wrong.starts_with("error: wrong.toml:2:12: unknown variant `tial`"), "{wrong}");
}

/// Two calls with the same beginning: the first writes it with the short life, the second covers it
/// with a long mark.
fn mixed_lives() -> String {
    let records = sample("../../../../wire/tests/samples/scrimp.jsonl");
    let records = std::fs::read_to_string(records).unwrap();
    let call = |at_s: i64, block: usize, life: &str| {
        let mut record: serde_json::Value =
            serde_json::from_str(records.lines().next().unwrap()).unwrap();
        let arrived = &mut record["call"]["arrived"]["nanos"];
        *arrived = (arrived.as_i64().unwrap() + at_s * 1_000_000_000).into();
        record["call"]["id"] = format!("{at_s:032x}").into();
        record["call"]["prompt"][block]["mark"] = life.into();
        record.to_string() + "\n"
    };
    [call(0, 0, "short"), call(60, 1, "long"), call(1_000, 1, "long")].concat()
}

#[test]
fn where_lives_are_mixed_the_table_says_how_that_was_read() {
    let place = Place::new();
    place.write("calls.jsonl", mixed_lives());
    place.write("keep.toml", "[prompt_cache]\nstate = \"on\"\n");
    let whatif = ["whatif", "calls.jsonl", "--prompt-cache", "none,tail:long"];
    let whatif = [&whatif[..], &["--policies", "keep.toml"]].concat();
    expect![[r#"
        3 calls

        policy      input  ÷ no caching  read from cache  with output     basis
        none        $0.14        1.0000             0.0%        $0.14  replayed
        tail:long  $0.099        0.7333            66.7%        $0.10  replayed
        keep.toml  $0.065        0.4837            66.6%       $0.070  replayed

        reading: a long mark covers the whole prefix (--reading writes-only for the other); lives mix in
                 keep.toml
        note: calls.jsonl lacks all times of the first content
    "#]].assert_eq(&place.run(&whatif).done());
    let other = [&whatif[..], &["--reading", "writes-only"]].concat();
    expect![[r#"
        3 calls

        policy      input  ÷ no caching  read from cache  with output     basis
        none        $0.14        1.0000             0.0%        $0.14  replayed
        tail:long  $0.099        0.7333            66.7%        $0.10  replayed
        keep.toml   $0.15        1.1171            33.3%        $0.16  replayed

        reading: a long mark covers only what it writes (--reading covers for the other); lives mix in
                 keep.toml
        note: calls.jsonl lacks all times of the first content
    "#]].assert_eq(&place.run(&other).done());
    assert_eq!(place.run(&[&other[..], &["--json"]].concat()).json()["reading"], "writes_only");
}

#[test]
fn compressed_files_and_standard_input_say_the_same() {
    let place = Place::new();
    let text = std::fs::read(sample("brisk.json")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&text).unwrap();
    place.write("a.gz", gzip.finish().unwrap());
    place.write("a.zst", zstd::encode_all(&text[..], 1).unwrap());
    // `auto` too: what it tries must not hang on where the logs lie.
    let plain = place.run(&["whatif", &sample("brisk.json"), "--json"]).json();
    for file in ["a.gz", "a.zst"] {
        assert_eq!(place.run(&["whatif", file, "--json"]).json()["rows"], plain["rows"]);
    }
    let piped = place.run_with(&["whatif", "-", "--json"], &text).json();
    assert_eq!(piped["rows"], plain["rows"]);
}

#[test]
fn calls_without_a_model_are_priced_as_the_one_that_is_named() {
    let place = Place::new();
    place.write("m.jsonl", format!("{LINE}\n"));
    let unpriced = place.run(&["whatif", "m.jsonl", "--prompt-cache", "none"]).done();
    expect![[r#"
        0 calls

        policy      input  ÷ no caching  read from cache  with output     basis
        none      unknown             –                –      unknown  replayed

        note: 1 call to unknown, which has no price: in no row
        note: 1 call with unknown block boundaries: look-back not modelled
        note: nothing could be priced: name a model with --model
        note: m.jsonl lacks all latencies, all models
        note: mooncake: no model is named: nothing is priced unless one is given
        note: mooncake: no latencies, no errors; what was read from a cache is not recorded, all input
              counts as uncached
    "#]].assert_eq(&unpriced);
    let named =
        ["whatif", "m.jsonl", "--prompt-cache", "none", "--model", "claude-opus-4-5", "--json"];
    let named = place.run(&named).json();
    assert_eq!((&named["calls"], &named["rows"][0]["input_usd"]), (&1.into(), &"0.003".into()));
}

#[test]
fn a_broken_line_is_counted_with_its_number_and_the_others_are_read() {
    let place = Place::new();
    place.write("m.jsonl", format!("{LINE}\n{{\"timestamp\": 5, \"inp\n{LINE}\n"));
    let found = place.run(&["analyze", "m.jsonl", "--json"]).json();
    let input = &found["inputs"][0];
    assert_eq!((&input["calls"], &input["skipped_lines"]), (&2.into(), &1.into()));
    assert_eq!(input["skipped"][0]["line"], 2);
    let told = place.run(&["whatif", "m.jsonl", "--prompt-cache", "none"]).done();
    let told = told.lines().find(|line| line.contains("skipped")).unwrap();
    expect!["note: 1 line skipped: m.jsonl:2: it breaks off after 21 bytes"].assert_eq(told);
}

#[test]
fn reasons_are_in_the_words_of_json() {
    let place = Place::new();
    let usage = r#""message":{"id":"m","model":"claude-opus-4-5","usage":{"input_tokens":5}}"#;
    let good = format!(r#"{{"type":"assistant","timestamp":"2026-03-02T09:00:00Z",{usage}}}"#);
    let broken = [r#"null"#, r#"{"type":1}"#, r#"{"type":{}}"#, r#""a secret""#, "[0]", "{,}"];
    place.write("broken.jsonl", format!("{good}\n{}\n", broken.join("\n")));
    place.write("m.jsonl", format!("{LINE}\n{}\n", LINE.replace("[1, 2]", "[-1, 0.5]")));
    let skipped = |file: &str| {
        let found = place.run(&["analyze", file, "--json"]).json();
        let skipped = found["inputs"][0]["skipped"].as_array().unwrap().iter();
        skipped.map(|line| line["why"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        null where an object should be, at column 4
        1 where a text should be, at column 9
        an object where a text should be, at column 8
        a text where an object should be, at column 10
        0 where a text should be, at column 2
        key must be a string, at column 2"#]]
    .assert_eq(&skipped("broken.jsonl"));
    expect!["-1 where a whole number from 0 should be, at column 73"]
        .assert_eq(&skipped("m.jsonl"));
}

#[test]
fn a_call_of_march_is_billed_by_the_price_of_march() {
    let place = Place::new();
    let cost = |arguments: &[&str], time: &str| {
        let usage = r#""usage":{"input_tokens":300000,"output_tokens":1000}"#;
        let message = format!(r#""message":{{"id":"m","model":"claude-opus-4-6",{usage}}}"#);
        let call = format!(r#"{{"type":"assistant","timestamp":"{time}",{message}}}"#);
        place.write("m.jsonl", call);
        place.run(&[arguments, &["m.jsonl", "--json"]].concat()).json()
    };
    let analyzed = |time| cost(&["analyze"], time)["totals"]["usd"].to_string();
    let replayed = |time| {
        cost(&["whatif", "--prompt-cache", "none"], time)["rows"][0]["total_usd"].to_string()
    };
    // Until the 13th, inputs longer than 200,000 tokens cost double, and their output half more.
    for (time, usd) in
        [("2026-03-12T23:59:59.999Z", "\"3.0375\""), ("2026-03-13T00:00:00Z", "\"1.525\"")]
    {
        assert_eq!((&*analyzed(time), &*replayed(time)), (usd, usd), "{time}");
    }
}

#[test]
fn dates_and_times_since_a_beginning_are_not_one_span() {
    let place = Place::new();
    place.write("logs/m.jsonl", format!("{LINE}\n{LINE}\n"));
    let usage = r#""message":{"id":"m","model":"claude-opus-4-5","usage":{"input_tokens":5}}"#;
    let dated = format!(r#"{{"type":"assistant","timestamp":"2026-03-02T09:00:00Z",{usage}}}"#);
    place.write("logs/dated.jsonl", dated);
    let said = place.run(&["analyze", "logs"]).done();
    let told: Vec<&str> = said.lines().filter(|line| line.contains(" calls")).collect();
    expect![[r#"
        2 files, 3 calls
        measured: cost of 1 calls, latency of 0; 1,205 tokens in, 18 out
        ! some calls have dates, others do not: together they have no period
        operation    calls  errors  p50  p95         $  cached
        model            calls  errors  p50  p95         $  cached
        N1  no price for unknown/unknown: 2 calls in no sum
            2 calls with 1,200 input tokens"#]]
    .assert_eq(&told.join("\n"));
    let found = place.run(&["analyze", "logs", "--json"]).json();
    assert_eq!(found["period"], serde_json::Value::Null);
}

#[test]
fn what_cannot_be_read_is_named_with_the_reason() {
    let place = Place::new();
    place.write("notes.txt", "not a log\n");
    place.write("full/notes.txt", "not a log\n");
    std::fs::create_dir(place.path("empty")).unwrap();
    let refuses = |arguments: &[&str], expected: Expect| {
        expected.assert_eq(&place.run(arguments).failed());
    };
    refuses(
        &["whatif", "notes.txt"],
        expect![[r#"
            error: no calls were found
            notes.txt: it is none of the known formats:
              not agent-session: it does not begin with `{`
              not mooncake, scrimp, claude-code, codex: no line is a JSON object
              not litellm, langfuse, helicone, portkey, bedrock, azure, burstgpt, qwen-bailian, vllm, openai-usage, anthropic-usage, openrouter-activity: it is empty, or neither JSON nor a table with a header
              not har: its beginning has no `log` with `entries`
              not table: no columns for time, input and output tokens (name them with --columns "time=…,input=…,output=…")
        "#]],
    );
    refuses(
        &["analyze", "full"],
        expect![[r#"
            error: no calls were found
            full/notes.txt: it is none of the known formats (name the file itself to see why)
        "#]],
    );
    refuses(
        &["analyze", "empty"],
        expect![[r#"
        error: no calls were found: empty holds no files
    "#]],
    );
    refuses(
        &["analyze", "no/such.jsonl"],
        expect![[r#"
        error: no/such.jsonl: No such file or directory (os error 2)
        hint: name files or folders of logs, or `-` for standard input
    "#]],
    );
    refuses(
        &["analyze"],
        expect![[r#"
        error: …/home/.local/share/scrimp holds no store; start `scrimp serve` with it once
        hint: to analyze logs instead, name their files or folders
    "#]],
    );
    let unknown = place.run(&["whatif", &sample(""), "--prompt-cache", "none, sytem"]).misused();
    for name in MODES.split(',').chain(["`sytem`"]) {
        assert!(unknown.contains(name), "{unknown}");
    }
}

#[test]
fn an_analysis_has_the_fields_that_scripts_rest_on() {
    let found = Place::new().run(&["analyze", &sample(""), "--json"]).json();
    has(&found, "inputs totals operations findings");
    has(&found["totals"], "calls errors usd unpriced_calls tokens");
    let classes = "uncached cache_read cache_write_short cache_write_long output reasoning";
    has(&found["totals"]["tokens"], classes);
    let operation = &found["operations"][0];
    has(operation, "name kind count errors latency_ms ttft_ms tpot_ms critical_path_ms");
    has(&operation["latency_ms"], "mean p50 p95 p99 max");
    let finding = &found["findings"][0];
    has(finding, "id title basis usd_per_month latency_ms effort risk change evidence");
    assert_eq!((&finding["id"], &finding["basis"]), (&"F1".into(), &"replayed".into()));
    assert!(found["totals"]["usd"].is_string(), "money is a decimal string");
    assert_eq!(found["totals"]["calls"], 13);
}

#[track_caller]
fn has(value: &serde_json::Value, names: &str) {
    let there = fields(value);
    for name in names.split(' ') {
        assert!(there.contains(&name), "no {name} in {there:?}");
    }
}

#[test]
fn an_analysis_reads_well_and_fits_a_narrow_terminal() {
    let place = Place::new();
    let mut wide = place.command(&["analyze", "logs"]);
    std::fs::create_dir(place.path("logs")).unwrap();
    std::fs::copy(sample("brisk.json"), place.path("logs/brisk.json")).unwrap();
    let wide = String::from_utf8(wide.output().unwrap().stdout).unwrap();
    expect![[r#"
        1 file, 8 calls, 210s (relative times)
        $0.68   unpriced 0   unknown usage 0   errors 0%
        measured: cost of 8 calls, latency of 8; 126k tokens in, 1,880 out
        ! agent-session: what was read from a cache is not recorded: costs are those without prompt caching

        operation     calls  errors  mean   p50   p95   p99   max  ttft p50  tpot p50     $  cached
        coding-agent      8       0  6.0s  6.0s  6.0s  6.0s  6.0s      1.5s      19ms  0.68       ?

        operation     uncached input     $  output      $
        coding-agent            126k  0.63   1,880  0.047

        model                     calls  errors  mean   p50   p95   p99   max  ttft p50     $  cached
        claude-opus-4-5-20251101      8       0  6.0s  6.0s  6.0s  6.0s  6.0s      1.5s  0.68       ?

        worth doing: $ on these calls (90% range)
        F1  short cache mark at the prompt's end, all calls                               0.44 (?)  replayed
        F1 over 8 calls; read from cache: unknown now, 82% then
           8 calls compared with no caching at all, since the records do not say what was cached
           no range: too few sessions, at too few times, to tell one
           + [prompt_cache]
           + state = "on"
           + strategy = "tail"
           + ttl = "short"
    "#]].assert_eq(&wide);
    let narrow = place.command(&["analyze", "logs"]).env("COLUMNS", "60").output().unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    for line in narrow.lines() {
        assert!(line.chars().count() <= 60, "{line}");
    }
}

#[test]
fn the_page_stands_on_its_own() {
    let place = Place::new();
    let said = place.run(&["analyze", &sample(""), "--html", "report.html"]);
    assert_eq!(said.err, "wrote report.html\n");
    said.done();
    let page = place.read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("coding-agent"), "{page:.200}");
    for loads in ["src=\"http", "href=\"http", "url(", "@import", "<script src", "<link"] {
        assert!(!page.contains(loads), "{loads}");
    }
    let unwritable = place.run(&["analyze", &sample(""), "--html", "no/such/report.html"]).failed();
    expect![[r#"
        error: the page could not be written to no/such/report.html: No such file or directory (os error 2)
    "#]].assert_eq(&unwritable);
}

#[test]
fn a_providers_report_stands_apart_from_the_calls() {
    let place = Place::new();
    let bucket = |from: u64, input: u64| {
        format!(
            r#"{{"object":"bucket","start_time":{from},"end_time":{},"results":[{{"input_tokens":{input},"output_tokens":9,"input_cached_tokens":100,"num_model_requests":2,"model":"gpt-4o"}}]}}"#,
            from + 86_400
        )
    };
    let page = format!(
        r#"{{"object":"page","data":[{},{}],"has_more":false}}"#,
        bucket(1_772_409_600, 500),
        bucket(1_772_582_400, 700)
    );
    place.write("usage.json", page);
    expect![[r#"
        1 file, 0 calls

        reported by providers: sums, not among the calls
        openai 2026-03-02 to 2026-03-04: 4 calls, 1,200 tokens in (200 read from cache), 18 out
        ! no report covers 2026-03-03: unknown, not nothing
    "#]]
    .assert_eq(&place.run(&["analyze", "usage.json"]).done());
    let found = place.run(&["analyze", "usage.json", "--json"]).json();
    assert_eq!(found["totals"]["calls"], 0);
    assert_eq!(found["reported"][0]["calls"], 4);
    assert_eq!(found["reported"][0]["missing_days"][0], "2026-03-03");
}

#[test]
fn columns_that_could_be_meant_twice_are_named_with_the_way_out() {
    let place = Place::new();
    let table = "Day,Model,Input tokens,Prompt tokens,Output tokens,Date\n\
                 1,gpt-4o,5,6,7,2026-03-02T09:00:00Z\n";
    place.write("calls.csv", table);
    expect![[r#"
        error: no calls were found
        calls.csv: both `Input tokens` and `Prompt tokens` may be the input: say which with --columns "input=Input tokens"
    "#]].assert_eq(&place.run(&["analyze", "calls.csv"]).failed());
    let map = "input=Prompt tokens";
    let found = place.run(&["analyze", "calls.csv", "--columns", map, "--json"]).json();
    assert_eq!(found["totals"]["tokens"]["uncached"], 6);
    assert_eq!(found["inputs"][0]["lacks"]["prompts"], 1);
}
