//! Virtual keys and the audit log.

use std::sync::Arc;

use scrimp_core::{AuditEntry, KeyHash, Time, VirtualKey};
use scrimp_store::{Reader, Store};

use super::open;

fn key(n: u8) -> VirtualKey {
    VirtualKey {
        id: format!("{n:012x}").into(),
        name: Some("nightly".into()),
        hash: KeyHash([n; 32]),
        models: vec!["gpt-*".into()],
        expires: Some(Time::from_secs(9)),
        team: Some("search".into()),
        tags: vec![("stage".into(), "test".into())],
        created: Time::from_secs(1),
        revoked: None,
    }
}

fn entry(action: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        number: 0,
        at: Time::from_secs(2),
        who: "local".to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        before: None,
        after: None,
        refused: None,
    }
}

#[test]
fn keys_and_what_is_said_of_them_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.virtual_keys().unwrap(), []);
    for n in [2, 1] {
        store.put_virtual_key(&key(n), entry("key_created", &key(n).id)).unwrap();
    }
    let revoked = VirtualKey { revoked: Some(Time::from_secs(3)), ..key(2) };
    store.put_virtual_key(&revoked, entry("key_revoked", &revoked.id)).unwrap();
    store.close().unwrap();
    assert_eq!(open(dir.path()).virtual_keys().unwrap(), [key(1), revoked.clone()]);
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.virtual_keys().unwrap(), [key(1), revoked]);
    let said = reader.audit(10, None).unwrap();
    let said: Vec<_> = said.iter().map(|entry| (entry.number, &*entry.action)).collect();
    assert_eq!(said, [(3, "key_revoked"), (2, "key_created"), (1, "key_created")]);
}

#[test]
fn the_audit_log_is_read_page_by_page_beyond_nine_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let numbers: Vec<_> =
        (0..12).map(|n| store.add_audit(entry("x", &n.to_string())).unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    let page = |before| store.reader().audit(5, before).unwrap();
    let numbers = |page: Vec<AuditEntry>| page.iter().map(|e| e.number).collect::<Vec<_>>();
    assert_eq!(numbers(page(None)), [12, 11, 10, 9, 8]);
    assert_eq!(numbers(page(Some(8))), [7, 6, 5, 4, 3]);
    assert_eq!(numbers(page(Some(3))), [2, 1]);
}

#[test]
fn a_key_that_cannot_be_read_is_an_error_and_not_a_key_less() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_virtual_key(&key(1), entry("key_created", "1")).unwrap();
    store.set_state("key/000000000002", "{\"id\":2").unwrap();
    let error = store.virtual_keys().unwrap_err().to_string();
    assert!(error.contains("key/000000000002"), "{error}");
}

#[test]
fn of_a_broken_database_the_keys_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_virtual_key(&key(1), entry("key_created", "1")).unwrap();
    super::settle(&store, &super::turns(0..3_000));
    store.close().unwrap();
    let path = dir.path().join("scrimp.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 8_192..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let store = open(dir.path());
    assert_ne!(store.health().corrupt_files, [""; 0], "the damage was seen");
    assert_eq!(store.virtual_keys().unwrap(), [key(1)]);
}

#[cfg(unix)]
#[test]
fn a_new_database_is_its_owner_s_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<Store> = Arc::new(open(dir.path()));
    store.put_virtual_key(&key(1), entry("key_created", "1")).unwrap();
    for name in ["scrimp.db", "scrimp.db-wal", "key"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
