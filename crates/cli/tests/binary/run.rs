//! A command with a gateway of its own: what it finds, how it ends, what it is told, its bill.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::support::{Place, Server, fields};
use expect_test::expect;

fn with_provider() -> (Place, Server) {
    let place = Place::new();
    let sim = place.start(&["sim", "--fast", "--listen", "127.0.0.1:0"]);
    (place, sim)
}

/// `scrimp run -- COMMAND`, with the simulated provider where the environment has the vendors.
fn run(place: &Place, sim: &Server, arguments: &[&str]) -> Command {
    let mut command = place.command(&[&["run"], arguments].concat());
    command.env("ANTHROPIC_BASE_URL", &sim.url).env("OPENAI_API_BASE", format!("{}/v1", sim.url));
    command.env("PATH", "/usr/bin:/bin");
    command
}

/// A command of this binary that makes calls to where its environment says.
fn play(calls: &str) -> [String; 3] {
    let scrimp = env!("CARGO_BIN_EXE_scrimp");
    let script = format!(
        "{scrimp} sim --play coding-agent --calls {calls} --against \"$ANTHROPIC_BASE_URL\""
    );
    ["sh".to_owned(), "-c".to_owned(), script]
}

#[test]
fn the_calls_of_a_command_are_counted_and_its_output_is_its_own() {
    let (place, sim) = with_provider();
    let script = play("60");
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let arguments = [&["--json", "bill.json", "--"], &script[..]].concat();
    let said = place.said(&run(&place, &sim, &arguments).output().unwrap());
    assert_eq!((said.exit, said.out.as_str()), (Some(0), "60 calls, 0 not answered\n"), "{said:?}");
    let [line] = said.err.lines().collect::<Vec<_>>()[..] else { panic!("{said:?}") };
    assert!(line.starts_with("scrimp: 60 calls, $"), "{line}");
    assert!(line.contains(" measured; ") && line.ends_with("% of input sent again uncached"));

    let bill: serde_json::Value = serde_json::from_str(&place.read("bill.json")).unwrap();
    assert_eq!((&bill["calls"], &bill["exit"]), (&60.into(), &0.into()));
    let sums = |name: &str| bill[name].as_u64().unwrap();
    assert!(sums("sent_again_uncached_tokens") <= sums("sent_again_tokens"), "{bill}");
    assert!(sums("sent_again_tokens") < sums("input_tokens"), "{bill}");
    assert!(0 < sums("sent_again_uncached_tokens"), "{bill}");
    expect![[r#"abandoned calls errors estimated_usage_calls exit input_tokens lost_calls sent_again_tokens sent_again_uncached_share sent_again_uncached_tokens tokens truncated unknown_usage_calls unpriced_calls usd"#]]
        .assert_eq(&fields(&bill).join(" "));
    let left: Vec<_> = std::fs::read_dir(place.path("")).unwrap().flatten().collect();
    let left: Vec<_> = left.iter().map(std::fs::DirEntry::file_name).collect();
    assert!(left.iter().all(|name| !name.display().to_string().starts_with("scrimp-run")));
}

#[test]
fn a_command_ends_as_it_would_without_us() {
    let (place, sim) = with_provider();
    for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)] {
        let said = run(&place, &sim, &["--", "sh", "-c", script]).output().unwrap();
        assert_eq!(said.status.code(), Some(expected), "{script}");
    }
    let said = place.said(&run(&place, &sim, &["--", "no-such-command", "-x"]).output().unwrap());
    assert_eq!(said.exit, Some(127));
    assert_eq!(said.err, "error: no-such-command: command not found\n");
    place.write("text", "no program");
    let said = place.said(&run(&place, &sim, &["./text"]).output().unwrap());
    assert_eq!(said.exit, Some(126));
    assert_eq!(said.err, "error: ./text: Permission denied (os error 13)\n");
}

#[test]
fn a_command_reads_our_input_and_finds_the_gateway_past_a_proxy() {
    let (place, sim) = with_provider();
    let script = "cat; echo $OPENAI_BASE_URL $OPENAI_API_BASE $ANTHROPIC_BASE_URL \
                  $GOOGLE_GEMINI_BASE_URL $no_proxy; echo own >&2";
    let mut command = run(&place, &sim, &["--", "sh", "-c", script]);
    let command = command.env("http_proxy", "http://127.0.0.1:1").env("NO_PROXY", "a.example");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"typed\n").unwrap();
    let said = place.said(&child.wait_with_output().unwrap());
    let lines: Vec<&str> = said.out.lines().collect();
    let [typed, found] = lines[..] else { panic!("{said:?}") };
    let words: Vec<&str> = found.split(' ').collect();
    let [openai, base, anthropic, google, direct] = words[..] else { panic!("{found}") };
    assert_eq!((typed, direct), ("typed", "a.example,127.0.0.1"));
    assert_eq!((openai, google), (base, anthropic));
    assert_eq!(openai, format!("{anthropic}/v1"));
    assert!(anthropic.starts_with("http://127.0.0.1:") && anthropic != sim.url, "{found}");
    expect![[r#"
        own
        scrimp: no calls came through; the command may not read OPENAI_BASE_URL, ANTHROPIC_BASE_URL or GOOGLE_GEMINI_BASE_URL
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_signal_reaches_the_command_once_and_its_end_is_waited_for() {
    let (place, sim) = with_provider();
    // Beside the one that is waited for, whoever writes `told` was told.
    let script = "trap 'echo told' INT TERM; echo ready; \
                  read line; echo after; read line; echo done; exit 5";
    for signal in ["-INT", "-TERM"] {
        let mut child = run(&place, &sim, &["--", "bash", "-c", script])
            // Else nobody knows whether the terminal would tell the command itself.
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut input = child.stdin.take().unwrap();
        let mut told = String::new();
        std::io::Write::write_all(&mut input, b"\n").unwrap();
        while told.lines().count() < 2 {
            assert_ne!(out.read_line(&mut told).unwrap(), 0, "{told}");
        }
        std::io::Write::write_all(&mut input, b"\n").unwrap();
        out.read_to_string(&mut told).unwrap();
        assert_eq!(told.matches("told").count(), 1, "{told}");
        assert!(told.contains("after") && told.ends_with("done\n"), "{told}");
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }
}

#[test]
fn records_are_kept_where_that_is_asked_for() {
    let (place, sim) = with_provider();
    let script = play("9");
    let script: Vec<&str> = script.iter().map(String::as_str).collect();
    let own = [&["--data", "data", "--"], &script[..]].concat();
    for _ in 0..2 {
        let said = place.said(&run(&place, &sim, &own).output().unwrap());
        assert!(said.err.starts_with("scrimp: 9 calls, $"), "of this run alone: {said:?}");
    }
    let found = place.run(&["analyze", "--data", "data", "--json"]).json();
    assert_eq!(found["totals"]["calls"], 18);

    let said = place.said(&run(&place, &sim, &["--keep", "true"]).output().unwrap());
    let (_, kept) = said.err.split_once("the records are in …/").unwrap();
    let kept = place.path(kept.split(';').next().unwrap());
    assert!(kept.join("scrimp.db").exists(), "{kept:?}");
}

#[test]
fn a_run_that_cannot_be_is_refused_before_the_command_begins() {
    let place = Place::new();
    let mut command = place.command(&["run", "--", "touch", "begun"]);
    let said = place.said(&command.env("OPENAI_BASE_URL", "llm.example").output().unwrap());
    let wrong = said.failed();
    assert!(wrong.starts_with("error: the environment: OPENAI_BASE_URL: `llm.example`"), "{wrong}");
    place.write("wrong.toml", "[listen]\nadress = \"x\"\n");
    let said = place.run(&["run", "--config", "wrong.toml", "touch", "begun"]).failed();
    assert!(said.contains("did you mean `address`?"), "{said}");
    assert!(place.run(&["run"]).misused().contains("COMMAND"));
    assert!(!place.path("begun").exists());
}
