//! `scrimp prices update`: what it takes, what it holds, and what it refuses.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::support::Place;
use expect_test::expect;

/// A list like the one that ships, as LiteLLM would write it, with one change.
fn list(place: &Place, change: &str) -> String {
    let found = place.run(&["models", "openai/", "--json"]).json();
    let mut entries = serde_json::Map::new();
    let dollars = |text: &serde_json::Value| format!("{}e-06", text.as_str().unwrap());
    let own = found.as_array().unwrap().iter().filter(|model| model["provider"] == "openai");
    for model in own {
        let card = &model["cards"][0];
        let entry = format!(
            r#"{{"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": {},
                "output_cost_per_token": {}}}"#,
            dollars(&card["uncached"]),
            dollars(&card["output"])
        );
        let name = model["model"].as_str().unwrap();
        entries.insert(name.to_owned(), serde_json::from_str(&entry).unwrap());
    }
    let changed: serde_json::Map<_, _> = serde_json::from_str(change).unwrap();
    entries.extend(changed);
    serde_json::Value::from(entries).to_string()
}

const CHANGE: &str = r#"{
    "gpt-4o": {"mode": "chat", "litellm_provider": "openai",
        "input_cost_per_token": 3e-6, "output_cost_per_token": 1e-5},
    "gpt-4": {"mode": "chat", "litellm_provider": "openai",
        "input_cost_per_token": 1.9e-4, "output_cost_per_token": 6e-5},
    "gpt-99": {"mode": "chat", "litellm_provider": "openai",
        "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
}"#;

fn last_lines(text: &str, of: &[&str]) -> String {
    let lines = text.lines().filter(|line| of.iter().any(|part| line.contains(part)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_newer_list_is_taken_and_a_far_off_price_is_held_until_it_is_confirmed() {
    let place = Place::new();
    let million = ["--json", "--uncached", "1000000", "--at", "2026-12-05"];
    let cost = |model: &str| place.run(&[&["price", model], &million[..]].concat()).json();
    place.write("list.json", list(&place, CHANGE));
    let update = ["prices", "update", "list.json", "--taken", "2026-12-01"];
    // The list has one provider only: most models of the one in use are not in it.
    expect![[r#"
        error: list.json: the list has 135 models where the one in use has 3384: it seems cut off
        hint: nothing was changed
    "#]]
    .assert_eq(&place.run(&update).failed());
    assert_eq!(cost("openai/gpt-4o")["usd"], "2.5");

    let all = [&update[..], &["--confirm"]].concat();
    let told = place.run(&all).done();
    let shown = last_lines(&told, &[" openai/gpt-4o 2", " openai/gpt-4 ", "gpt-99", "wrote"]);
    expect![[r#"
        added    openai/gpt-99 1/2
        changed  openai/gpt-4 30/60 -> 190/60
        changed  openai/gpt-4o 2.5/10 -> 3/10
        meant    openai/gpt-4 30/60 -> 190/60 (6 times dearer)
        wrote …/home/.local/share/scrimp/prices.txt"#]]
    .assert_eq(&shown);
    let found = cost("openai/gpt-4o");
    assert_eq!((&found["usd"], &found["prices_taken"]), (&"3".into(), &"2026-12-01".into()));
    assert!(found["notes"].to_string().contains("prices update"), "{found}");
    let before = ["price", "openai/gpt-4o", "--json", "--uncached", "1000000"];
    let before = [&before[..], &["--at", "2026-11-01"]].concat();
    assert_eq!(place.run(&before).json()["usd"], "2.5", "old calls keep their price");

    // One sixty times dearer, one beyond anything that is sold.
    let dear = CHANGE.replace("3e-6", "1.5e-4").replace("1e-6", "1e-3");
    place.write("list.json", list(&place, &dear));
    let next = ["prices", "update", "list.json", "--taken", "2026-12-02"];
    let told = place.run(&next).done();
    expect![[r#"
        0 added, 0 removed, 0 changed
        held     openai/gpt-4o 3/10 -> 150/10 (50 times dearer)
        kept     gpt-99: 1000 dollars per million tokens: the unit cannot be dollars per token: the price before counts
        1 entry not believed (no price, zero, another unit)
        wrote …/home/.local/share/scrimp/prices.txt
        held prices stay as they were: look at them, then add --confirm
    "#]].assert_eq(&told);
    assert_eq!(cost("openai/gpt-4o")["usd"], "3", "held");
    place.run(&[&next[..], &["--confirm"]].concat()).done();
    assert_eq!(cost("openai/gpt-4o")["usd"], "150", "confirmed on the same day");
    let older = ["prices", "update", "list.json", "--taken", "2026-11-30"];
    expect![[r#"
        error: list.json: the list is of 2026-11-30, the one in use of 2026-12-02
        hint: nothing was changed
    "#]]
    .assert_eq(&place.run(&older).failed());
}

#[test]
fn what_is_no_list_is_refused_and_changes_nothing() {
    let place = Place::new();
    place.write("latin.json", b"{\"caf\xe9\": {}}");
    place.write("other.json", "{\"a\": 1}");
    let refused = |list: &str| place.run(&["prices", "update", list]).failed();
    expect![[r#"
        error: latin.json: the list is not text in UTF-8: it goes wrong at byte 5
        hint: nothing was changed
    "#]]
    .assert_eq(&refused("latin.json"));
    expect![[r#"
        error: other.json: the list holds no prices: a: not an entry: invalid type: integer `1`, expected a map at line 1 column 1
        hint: nothing was changed
    "#]].assert_eq(&refused("other.json"));
    expect![[r#"
        error: missing.json: No such file or directory (os error 2)
    "#]]
    .assert_eq(&refused("missing.json"));
    expect![[r#"
        error: http://prices.example/list.json was not fetched: `http://prices.example/list.json` is no https:// address
        hint: a file that was fetched otherwise can be named instead
    "#]].assert_eq(&refused("http://prices.example/list.json"));
    assert!(!place.path("home/.local").exists());
}

#[test]
fn a_list_is_fetched_from_an_address() {
    let place = Place::new();
    let body = list(&place, CHANGE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let answer = |head: String, body: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap();
            write!(stream, "HTTP/1.1 {head}\r\n\r\n{body}").unwrap();
            String::from_utf8_lossy(&asked[..length]).lines().next().unwrap().to_owned()
        };
        let first = answer(format!("200 OK\r\ncontent-length: {}", body.len()), &body);
        let redirect = "302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0";
        (first, answer(redirect.to_owned(), ""))
    });
    let url = format!("http://{address}/a/list.json?b=1");
    let update = ["prices", "update", &url, "--taken", "2026-12-01", "--confirm", "--json"];
    let done = place.run(&update).json();
    assert!(done["added"].to_string().contains("openai/gpt-99"), "{done}");
    let redirected = place.run(&["prices", "update", &url]).failed();
    assert!(redirected.contains("answered 302 Found: fetch it from https://elsewhere.example/"));
    assert_eq!(server.join().unwrap().0, "GET /a/list.json?b=1 HTTP/1.1");
}
