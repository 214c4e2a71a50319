//! Rules written into a file, and taken out of it again.

use scrimp_core::policy::Arm;
use scrimp_core::{Call, Record};
use scrimp_store::Options;

use super::*;

const OWN: &str = "# my gateway\n[listen]\naddress = \"127.0.0.1:4100\" # here\n\n\
                   [prompt_cache.\"op:chat\"]\n# by hand\nstate = \"observe\"\nttl = \"1h\"\n";
const CHANGE: &str = "[prompt_cache.\"op:chat\"]\nstate = \"on\"\nstrategy = \"tail\"\n";
const NOW: Time = Time::from_secs(1_790_000_000);

struct Place {
    files: Files,
    store: Store,
    directory: tempfile::TempDir,
}

fn place(config: Option<&str>) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scrimp.toml");
    if let Some(text) = config {
        std::fs::write(&path, text).unwrap();
    }
    let data = directory.path().join("data");
    let store = Store::open(&data, Options::STANDARD).unwrap();
    Place { files: Files { config: config.map(|_| path), data }, store, directory }
}

fn application(change: &str, share: u32) -> Application {
    Application {
        finding: "F1 the same beginning".to_owned(),
        change: change.to_owned(),
        share: Share::from_millionths(share),
        predicted_ppm: Some(-130_000),
    }
}

#[test]
fn a_rule_is_written_with_its_number_and_taken_back_byte_for_byte() {
    let Place { files, store, directory: _directory } = place(Some(OWN));
    let number = apply(&files, &store, &application(CHANGE, 200_000), "ada", NOW).unwrap();
    let rules = files.load().unwrap().prompt_cache;
    assert_eq!((rules.len(), rules[0].experiment), (1, number));
    assert_eq!(rules[0].share.millionths(), 200_000);
    let text = files.text().unwrap();
    assert!(text.starts_with("# my gateway\n[listen]\naddress = \"127.0.0.1:4100\" # here\n"));

    let entry = undo(&files, &store, number, "asked for", "ada", NOW).unwrap();
    assert_eq!(files.text().unwrap(), OWN);
    assert_eq!(entry.undone_because.as_deref(), Some("asked for"));
    assert!(undo(&files, &store, number, "again", "ada", NOW).is_err());
    assert!(undo(&files, &store, 99, "never was", "ada", NOW).is_err());
}

#[test]
fn litellm_s_file_stays_as_it_is_and_the_rule_lies_in_the_data_directory() {
    let Place { mut files, store, directory } = place(None);
    let path = directory.path().join("config.yaml");
    let yaml = "model_list:\n- model_name: m\n  litellm_params: {model: ollama/m}\n";
    std::fs::write(&path, yaml).unwrap();
    files.config = Some(path.clone());
    let number = apply(&files, &store, &application(CHANGE, 1_000_000), "ada", NOW).unwrap();
    let config = files.load().unwrap();
    assert_eq!(config.prompt_cache[0].experiment, number);
    assert_eq!(&*config.models["m"].provider, "ollama");
    undo(&files, &store, number, "asked for", "ada", NOW).unwrap();
    assert!(files.load().unwrap().prompt_cache.is_empty() && !files.applied().exists());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), yaml);

    std::fs::write(&path, "general_settings: {master_key: sk-1}\n").unwrap();
    let refused = files.load().unwrap_err();
    assert_eq!(refused.place, Some((1, 20)), "{refused}");
}

#[test]
fn without_a_file_the_rule_lies_in_the_data_directory() {
    let Place { files, store, directory: _directory } = place(None);
    let number = apply(&files, &store, &application(CHANGE, 1_000_000), "ada", NOW).unwrap();
    assert_eq!(files.load().unwrap().prompt_cache.len(), 1);
    undo(&files, &store, number, "asked for", "ada", NOW).unwrap();
    assert!(files.load().unwrap().prompt_cache.is_empty());
    assert!(!files.applied().exists(), "nothing is applied, so nothing is left");
}

#[test]
fn a_link_to_a_configuration_stays_a_link() {
    let Place { mut files, store, directory } = place(Some(OWN));
    let link = directory.path().join("linked.toml");
    std::os::unix::fs::symlink("scrimp.toml", &link).unwrap();
    let target = files.config.replace(link.clone()).unwrap();
    apply(&files, &store, &application(CHANGE, 200_000), "ada", NOW).unwrap();
    assert!(link.is_symlink());
    assert!(std::fs::read_to_string(target).unwrap().contains("experiment = 1"));
}

#[test]
fn an_earlier_rule_is_taken_out_from_under_a_later_change() {
    let Place { files, store, directory: _directory } = place(Some(OWN));
    let first = apply(&files, &store, &application(CHANGE, 200_000), "ada", NOW).unwrap();
    let all = "[prompt_cache]\nstate = \"on\"\nstrategy = \"system\"\n";
    let second = apply(&files, &store, &application(all, 500_000), "ada", NOW).unwrap();
    undo(&files, &store, first, "asked for", "ada", NOW).unwrap();
    let rules = files.load().unwrap().prompt_cache;
    assert_eq!(rules.iter().map(|rule| rule.experiment).collect::<Vec<_>>(), [second, second]);
    assert_eq!(rules[0].ttl, scrimp_core::Ttl::Long, "the rule by hand is back");
    undo(&files, &store, second, "asked for", "ada", NOW).unwrap();
    let left = files.load().unwrap().prompt_cache;
    assert_eq!((left.len(), left[0].experiment), (1, 0));
}

#[test]
fn what_is_no_rule_is_refused_and_leaves_no_trace() {
    let Place { files, store, directory: _directory } = place(Some(OWN));
    for change in ["", "[listen]\naddress = \"x\"", "[prompt_cache]\nstat = \"on\"", "]["] {
        assert!(apply(&files, &store, &application(change, 1), "ada", NOW).is_err(), "{change}");
    }
    assert_eq!(files.text().unwrap(), OWN);
    assert!(store.journal().unwrap().is_empty());
}

/// A settled call of a unit of its own, in an experiment.
fn record(unit: u64, number: u64, arm: Arm, pico: i64) -> Record {
    use scrimp_core::policy::State;
    use scrimp_core::policy::prompt_cache::{Edit, Placement};
    use scrimp_core::{
        Caller, Delivery, Dialect, Digest, Ending, Metering, Parameters, Usage, Usd,
    };
    let call = Call {
        id: scrimp_core::CallId(u128::from(unit) << 8 | u128::from(arm == Arm::Treated)),
        seed: 0,
        arrived: NOW,
        dialect: Dialect::OpenaiChat,
        provider: "openai".into(),
        model: "m".into(),
        operation: "chat".into(),
        caller: Caller::default(),
        delivery: Delivery::Whole,
        parameters: Parameters {
            max_output_tokens: None,
            temperature_permille: None,
            answers: 1,
            usage_in_stream: false,
            client_cache_options: false,
            digest: Digest::default(),
            rendered: None,
        },
        prompt: Vec::new(),
        body_bytes: 0,
    };
    let usd = |dollars: f64| Some(Usd::from_f64_estimate(dollars));
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let cost = usd(pico as f64 / 1e3);
    Record {
        call: std::sync::Arc::new(call),
        shaped: None,
        budgeted: None,
        placement: Some(Placement {
            experiment: number,
            state: State::On,
            arm,
            unit,
            edits: vec![Edit::ExplicitOnly],
            stood_down: None,
            reasons: Vec::new(),
        }),
        attempts: Vec::new(),
        ending: Ending::Answered { status: 200, finish: None },
        metering: Metering::measured(Usage { uncached: 10, ..Usage::ZERO }),
        cost,
        cost_uncached: usd(1.0),
        timing: scrimp_core::record::Timing::default(),
    }
}

#[test]
fn a_rule_that_proves_dearer_is_taken_back_by_itself() {
    let Place { files, store, directory: _directory } = place(Some(OWN));
    let number = apply(&files, &store, &application(CHANGE, 500_000), "ada", NOW).unwrap();
    for unit in 0..200 {
        let spread = i64::try_from(unit % 7).unwrap();
        let (dear, cheap) = (1_200 + spread, 1_000 + spread);
        store.settle(record(unit, number, Arm::Treated, dear).into());
        store.settle(record(unit, number, Arm::HeldOut, cheap).into());
    }
    store.flush();
    let undone = guard(&files, &store, NOW).unwrap();
    assert_eq!(undone.len(), 1);
    assert!(undone[0].undone_because.as_deref().unwrap().starts_with("by itself"));
    assert_eq!(files.text().unwrap(), OWN);
    assert!(guard(&files, &store, NOW).unwrap().is_empty());
}
