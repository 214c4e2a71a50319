//! `scrimp doctor`: what is wrong with an installation, and the way out.

use std::io::Read as _;
use std::net::TcpListener;

use expect_test::expect;

use crate::support::{Place, fields};
use crate::{support, tls};

const FREE: [&str; 3] = ["doctor", "--listen", "127.0.0.1:0"];

/// The table without what differs from machine to machine and from day to day.
fn steady(table: &str) -> String {
    let differs = ["free disk", "open files", "prices", "dashboard"];
    let mut is_kept = true;
    let mut kept = String::new();
    for line in table.lines() {
        if !line.starts_with(' ') {
            is_kept = !differs.iter().any(|name| line[9..].starts_with(name));
        }
        if is_kept {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn doctor(place: &Place, more: &[&str]) -> support::Said {
    place.run(&[&FREE[..], more].concat())
}

/// A directory that a gateway has used.
fn used(place: &Place) {
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    drop(place.start(&serve).stop("-TERM"));
}

#[test]
fn a_fresh_installation_is_in_order_and_nothing_is_made() {
    let place = Place::new();
    expect![[r#"
        ok       configuration   no file: calls pass to the public providers with the caller's own key
        ok       data directory  data is not there yet; `scrimp serve` makes it
        ok       address         127.0.0.1:0 is free
        ok       providers       none is named; calls go to the vendors'
        ok       clock           later than this build
    "#]].assert_eq(&steady(&doctor(&place, &["--data", "data"]).done()));
    assert!(!place.path("data").exists(), "nothing is made");
}

#[test]
fn a_running_gateway_is_known_by_its_data() {
    let place = Place::new();
    let gateway = place.start(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]);
    let table = place.run(&["doctor", "--data", "data", "--listen", gateway.address()]).done();
    let table =
        table.replace(&gateway.pid().to_string(), "PID").replace(gateway.address(), "ADDRESS");
    let table = table.lines().map(|line| match line.find(": writable, ") {
        Some(at) => format!("{}…{}\n", &line[..at], &line[line.find(", in use").unwrap()..]),
        None => format!("{line}\n"),
    });
    expect![[r#"
        ok       configuration   no file: calls pass to the public providers with the caller's own key
        ok       data directory  data…, in use by process PID
        ok       digest key      readable by its owner only
        ok       records         schema 5, whole
        ok       address         ADDRESS: the gateway on this data directory listens there
        ok       providers       none is named; calls go to the vendors'
        ok       clock           later than this build
    "#]].assert_eq(&steady(&table.collect::<String>()));
}

#[cfg(unix)]
#[test]
fn everything_that_is_wrong_is_told_with_its_way_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    used(&place);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path("data/key"), open).unwrap();
    place.write("data/segments/7.parquet", "torn");
    place.write("data/segments/3.parquet.corrupt-1", "");
    place.write("data/scrimp.db", vec![7; 4096]);
    // Where the last connection was not the last to close, all pages still stand in the log.
    place.write("data/scrimp.db-wal", "");
    place.write("scrimp.toml", "[listen]\nadress = \"127.0.0.1:1\"\n");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["doctor", "--data", "data", "--config", "scrimp.toml", "--listen", &address];
    let said = place.run(&arguments);
    assert_eq!((said.exit, said.err.as_str()), (Some(1), "error: 5 problems\n"), "{said:?}");
    let table = said.out.replace(&address, "ADDRESS");
    let table =
        table.lines().map(|line| match (line.find(": writable, "), line.find(", in use")) {
            (Some(at), Some(to)) => format!("{}…{}\n", &line[..at], &line[to..]),
            _ => format!("{line}\n"),
        });
    expect![[r#"
        problem  configuration   scrimp.toml:2:1: unknown field `adress`, expected one of `address`,
                                 `hosts`, `control_token`, `tokens`, `tls`, `workers`; did you mean
                                 `address`?
                                 → `scrimp config reference` lists every setting; a running gateway keeps
                                   the configuration before
        ok       data directory  data…, in use by nobody
        problem  digest key      others may read it (mode 644)
                                 → chmod 600 data/key
        problem  records         data/scrimp.db: file is not a database
                                 → a start sets it aside and keeps what can be read of it
        problem  sealed file     data/segments/7.parquet: EOF: Parquet file too small. Size is 4 but need 8
                                 → it is set aside by itself when it is read; what can be read of it is kept
        warning  broken file     data/segments/3.parquet.corrupt-1 was broken, and set aside
                                 → what could be read of it was kept, the rest is missing; remove it when
                                   you do not need it
        problem  address         ADDRESS: somebody else listens there
                                 → name another with --listen, or `address` in [listen]
        ok       clock           later than this build
    "#]].assert_eq(&steady(&table.collect::<String>()));
}

#[test]
fn a_file_in_place_of_the_data_directory_is_a_problem() {
    let place = Place::new();
    place.write("data", "");
    let said = doctor(&place, &["--data", "data"]);
    assert!(said.exit == Some(1) && said.out.contains("data is no directory"), "{said:?}");
}

#[test]
fn a_provider_is_connected_to_and_asked_nothing() {
    let place = Place::new();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = provider.local_addr().unwrap().port();
    let own = format!("base_url = \"http://127.0.0.1:{port}/v1\"\napi_key = \"sk-canary\"\n");
    place.write("scrimp.toml", format!("[providers.own]\n{own}"));
    let table = doctor(&place, &["--config", "scrimp.toml"]).done();
    assert!(table.contains(&format!("127.0.0.1:{port}: connected, no TLS")), "{table}");
    let mut sent = Vec::new();
    provider.accept().unwrap().0.read_to_end(&mut sent).unwrap();
    assert!(sent.is_empty(), "nothing was sent");

    drop(provider);
    let said = doctor(&place, &["--config", "scrimp.toml"]);
    assert_eq!(said.exit, Some(1));
    assert!(said.out.contains("no connection: Connection refused"), "{said:?}");
    let offline = doctor(&place, &["--config", "scrimp.toml", "--offline"]).done();
    assert!(offline.contains("not connected to (--offline)"), "{offline}");
}

#[test]
fn a_certificate_counts_as_it_does_for_calls() {
    let place = Place::new();
    let authority = tls::provider(&place);
    let said = doctor(&place, &["--config", "scrimp.toml"]);
    assert!(
        said.exit == Some(1) && said.out.contains("TLS fails: invalid peer certificate"),
        "{said:?}"
    );
    assert!(said.out.contains("named by `ca_file`"), "{said:?}");
    place.write("own.pem", authority.pem());
    let with_own = place.read("scrimp.toml") + "ca_file = \"own.pem\"\n";
    place.write("scrimp.toml", with_own);
    let table = doctor(&place, &["--config", "scrimp.toml"]).done();
    assert!(table.contains("certificate trusted"), "{table}");
}

#[test]
fn a_name_that_leads_nowhere_is_told_as_such() {
    let place = Place::new();
    // No name at all, which is found out without asking anybody.
    place.write("scrimp.toml", "[providers.own]\nbase_url = \"http://a..b/v1\"\n");
    let said = doctor(&place, &["--config", "scrimp.toml"]);
    assert!(said.exit == Some(1) && said.out.contains("its name does not resolve"), "{said:?}");
}

#[test]
fn scripts_get_the_same_as_json() {
    let place = Place::new();
    place.write("data", "");
    let said = doctor(&place, &["--data", "data", "--json"]);
    assert_eq!(said.exit, Some(1));
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(fields(&found), ["checks", "problems", "version", "warnings"]);
    assert_eq!(found["problems"], 1);
    let checks = found["checks"].as_array().unwrap();
    assert_eq!(fields(&checks[0]), ["check", "found", "state", "way_out"]);
    assert!(checks[0]["state"] == "ok" && checks[0]["way_out"].is_null(), "{found}");
    let data = checks.iter().find(|check| check["check"] == "data directory").unwrap();
    assert_eq!(data["state"], "problem");
}
