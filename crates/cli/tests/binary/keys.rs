//! `scrimp keys`, alone and beside a gateway, and what the keys are good for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Place, Server, fields};
use expect_test::expect;
use scrimp_store::{Options, Reader, Store};

const CALL: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;

/// The status and body of one call with a key.
fn call(gateway: &Server, key: &str) -> (String, String) {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n",
        CALL.len()
    );
    write!(stream, "{head}\r\n{CALL}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

/// A place whose gateway holds a key of the provider's.
fn with_provider() -> (Place, Server) {
    let place = Place::new();
    let sim = place.start(&["sim", "--fast", "--listen", "127.0.0.1:0"]);
    let table = format!("[providers.openai]\nbase_url = \"{}\"\napi_key = \"sk-own\"\n", sim.url);
    place.write("scrimp.toml", table);
    (place, sim)
}

const SERVE: [&str; 7] =
    ["serve", "--config", "scrimp.toml", "--data", "data", "--listen", "127.0.0.1:0"];

fn keys(place: &Place, arguments: &[&str]) -> crate::support::Said {
    place.run(&[&["keys"], arguments, &["--data", "data"]].concat())
}

#[test]
fn keys_are_made_before_the_first_start_and_listed_and_revoked() {
    let place = Place::new();
    let made =
        keys(&place, &["create", "--team", "search", "--model", "gpt-*", "--expires", "90d"]);
    let id = made.err.split(' ').nth(1).unwrap().trim_end_matches(':').to_owned();
    let key = made.done();
    assert!(key.starts_with(&format!("sk-scrimp-{id}-")), "{key}");
    let json = ["create", "--json", "--name", "nightly", "--tag", "stage=test"];
    let second = keys(&place, &json).json();
    let known = [
        "id",
        "name",
        "state",
        "models",
        "team",
        "tags",
        "created_ms",
        "expires_ms",
        "revoked_ms",
        "key",
    ];
    let mut known = known.to_vec();
    known.sort_unstable();
    let mut found = fields(&second);
    found.sort_unstable();
    assert_eq!(found, known);
    let other = second["id"].as_str().unwrap();
    let hidden = |text: &str| text.replace(&id, "FIRST-------").replace(other, "SECOND------");

    expect![[r#"
        key           state    expires    team          models                    name
        FIRST-------  active   in 89d     search        gpt-*
        SECOND------  active   never      -             all                       nightly
    "#]]
    .assert_eq(&hidden(&keys(&place, &["list"]).done()));
    expect![[r#"
        SECOND------  active
        name     nightly
        models   all
        expires  never
        team     -
        tags     stage=test
    "#]]
    .assert_eq(&hidden(&keys(&place, &["show", other]).done()));
    assert_eq!(keys(&place, &["revoke", &id]).done(), format!("revoked: {id}\n"));
    assert_eq!(keys(&place, &["show", &id, "--json"]).json()["state"], "revoked");
    expect![[r#"
        error: key `FIRST-------` was revoked before
        hint: `scrimp keys list` lists them
    "#]]
    .assert_eq(&hidden(&keys(&place, &["revoke", &id]).failed()));
    expect![[r#"
        error: there is no key `0`
        hint: `scrimp keys list` lists them
    "#]]
    .assert_eq(&keys(&place, &["show", "0"]).failed());
    let listed = keys(&place, &["list", "--json"]).json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    let audit = Reader::open(&place.path("data")).unwrap().audit(9, None).unwrap();
    let said: Vec<_> = audit.iter().map(|e| (&*e.who, &*e.action, e.refused.is_none())).collect();
    let expected = [
        ("cli:?", "key_revoked", false),
        ("cli:?", "key_revoked", true),
        ("cli:?", "key_created", true),
        ("cli:?", "key_created", true),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_gateway_whose_keys_cannot_be_read_does_not_start() {
    let (place, _sim) = with_provider();
    keys(&place, &["create"]).done();
    let store = Store::open(&place.path("data"), Options::STANDARD).unwrap();
    store.set_state("key/000000000000", "{").unwrap();
    store.close().unwrap();
    expect![[r#"
        error: the virtual keys cannot be read: key/000000000000: EOF while parsing an object at line 1 column 1
    "#]]
    .assert_eq(&place.run(&SERVE).failed());
}

#[test]
fn beside_a_gateway_keys_are_good_and_good_for_nothing_at_once() {
    let (place, _sim) = with_provider();
    let gateway = place.start(&SERVE);
    assert_eq!(call(&gateway, "anything").0, "200");
    let made = keys(&place, &["create", "--json"]).json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(call(&gateway, key).0, "200");
    let (status, told) = call(&gateway, "anything");
    assert!(status == "401" && told.contains("no_virtual_key"), "{told}");
    assert_eq!(keys(&place, &["list", "--json"]).json()["keys"][0]["id"], id);
    keys(&place, &["revoke", id]).done();
    let (status, told) = call(&gateway, key);
    assert!(status == "401" && told.contains("key_revoked"), "{told}");
    let again = keys(&place, &["revoke", id]).failed();
    assert!(again.contains("was revoked before"), "{again}");
    drop(gateway.stop("-TERM"));
    let gateway = place.start(&SERVE);
    assert_eq!(call(&gateway, "anything").0, "401", "a restart forgets no keys");
}

#[test]
fn a_gateway_with_a_token_asks_for_it() {
    let (place, _sim) = with_provider();
    let token = "[listen]\ncontrol_token = \"let-me\"\n";
    place.write("scrimp.toml", place.read("scrimp.toml") + token);
    let gateway = place.start(&SERVE);
    let refused = keys(&place, &["create"]).failed();
    expect![[r#"
        error: the gateway at ADDRESS refused: control needs the header `x-scrimp-control`, with the control token as its value where the gateway has one
        hint: SCRIMP_CONTROL_TOKEN holds the control token
    "#]]
    .assert_eq(&refused.replace(gateway.address(), "ADDRESS"));
    let mut create = place.command(&["keys", "create", "--data", "data"]);
    let made = create.env("SCRIMP_CONTROL_TOKEN", "let-me").output().unwrap();
    assert!(place.said(&made).done().starts_with("sk-scrimp-"));
}

#[test]
fn with_a_provider_s_key_others_need_keys_of_their_own() {
    let (place, _sim) = with_provider();
    let open = "[listen]\naddress = \"0.0.0.0:0\"\ncontrol_token = \"let-me\"\n";
    place.write("scrimp.toml", place.read("scrimp.toml") + open);
    let serve = ["serve", "--config", "scrimp.toml", "--data", "data"];
    let refused = place.run(&serve).failed();
    expect![[r#"
        error: the configuration: provider `openai` has a stored key, and on 0.0.0.0:0 anybody who reaches the gateway could spend it: make virtual keys with `scrimp keys create`, or write `required = true` in [keys] and make them later
        hint: another address can be given with --listen
    "#]]
    .assert_eq(&refused);
    let key = keys(&place, &["create"]).done();
    let gateway = place.start(&serve);
    assert_eq!(call(&gateway, key.trim()).0, "200");
    assert_eq!(call(&gateway, "anything").0, "401");
}

#[test]
fn commands_know_a_gateway_that_speaks_tls_by_its_certificate() {
    let (place, _sim) = with_provider();
    let made = rcgen::generate_simple_self_signed(["gate.internal".to_owned()]).unwrap();
    place.write("cert.pem", made.cert.pem());
    place.write("key.pem", made.key_pair.serialize_pem());
    let tls = "[listen.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    place.write("scrimp.toml", place.read("scrimp.toml") + tls);
    let gateway = place.start(&SERVE);
    assert!(gateway.greeting.starts_with("https://127.0.0.1:"), "{}", gateway.greeting);
    assert!(keys(&place, &["create"]).done().starts_with("sk-scrimp-"));
    drop(gateway.stop("-TERM"));

    let gateway = place.start(&SERVE);
    let listed = keys(&place, &["list", "--json"]).json();
    let id = listed["keys"][0]["id"].as_str().unwrap();
    // Somebody else's, for all the command can tell.
    std::fs::rename(place.path("cert.pem"), place.path("own.pem")).unwrap();
    let other = rcgen::generate_simple_self_signed(["gate.internal".to_owned()]).unwrap();
    place.write("cert.pem", other.cert.pem());
    let refused = keys(&place, &["revoke", id]).failed();
    assert!(refused.contains("is in use by process"), "{refused}");
    std::fs::rename(place.path("own.pem"), place.path("cert.pem")).unwrap();
    keys(&place, &["revoke", id]).done();
    drop(gateway.stop("-TERM"));

    place.write("key.pem", "no key");
    let refused = place.run(&SERVE).failed();
    assert!(refused.contains("what [listen.tls] names cannot be used: key.pem: "), "{refused}");
}
