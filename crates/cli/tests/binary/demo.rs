//! The demonstration, on little traffic: a day of the usual size takes a minute unoptimised.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::support::Place;

#[test]
fn the_demo_walks_through_the_loop_and_ends_by_itself_where_nobody_watches() {
    let place = Place::new();
    let arguments = ["demo", "--for", "1s", "--no-open", "--listen", "127.0.0.1:0"];
    let said = place.run(&[&arguments[..], &["--scale", "0.02"]].concat());
    assert!(said.err.contains("dashboard: http://127.0.0.1:"), "{said:?}");
    let told = said.done();
    let at = |step: &str| told.find(step).unwrap_or_else(|| panic!("no {step} in\n{told}"));
    let steps = ["\n1 measured ", "\n2 predicted ", "\n3 applied ", "\n4 proved "].map(at);
    assert!(steps.is_sorted(), "{told}");
    let verdicts = ["TOO EARLY", "WORKED", "PARTIAL", "NO EFFECT", "WORSE"];
    assert!(verdicts.iter().any(|verdict| told.contains(verdict)), "{told}");
    // The rule may replace the client's marks, too.
    assert!(told.contains("the rule changed cache marks only, in half of its sessions"), "{told}");
    let left = std::fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left, 1, "the demo takes away what it made; only the home is there");
}

#[test]
fn a_demo_that_is_interrupted_says_so_and_keeps_nothing() {
    let place = Place::new();
    let arguments = ["demo", "--for", "4s", "--no-open", "--listen", "127.0.0.1:0"];
    let mut demo = place.command(&[&arguments[..], &["--scale", "0.02"]].concat()).spawn().unwrap();
    let mut told = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    // By the second day it listens to signals, too.
    assert!(told.any(|line| line.starts_with("day 2 of 2")));
    let pid = demo.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let last = told.last();
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert_eq!(last.as_deref(), Some("stopped; nothing was kept"));
    let left = std::fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left, 1, "only the home is there");
}
