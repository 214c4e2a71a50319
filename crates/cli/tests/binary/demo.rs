//! The demonstration, on little traffic but for once: two days of the usual size take half a minute
//! unoptimised.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::support::{Place, Said};

const DEMO: [&str; 4] = ["demo", "--no-open", "--listen", "127.0.0.1:0"];
const QUICK: [&str; 2] = ["--for", "1s"];
const LITTLE: [&str; 2] = ["--scale", "0.02"];

#[test]
fn the_demo_walks_through_the_loop_and_ends_by_itself_where_nobody_watches() {
    let place = Place::new();
    let said = little(&place, "100");
    assert!(said.err.contains("dashboard: http://127.0.0.1:"), "{said:?}");
    let told = said.done();
    let at = |step: &str| told.find(step).unwrap_or_else(|| panic!("no {step} in\n{told}"));
    let steps = ["\n1 measured ", "\n2 predicted ", "\n3 applied ", "\n4 proved "].map(at);
    assert!(steps.is_sorted(), "{told}");
    let verdicts = ["TOO EARLY", "WORKED", "PARTIAL", "NO EFFECT", "WORSE"];
    assert!(verdicts.iter().any(|verdict| told.contains(verdict)), "{told}");
    // The rule may replace the client's marks, too.
    assert!(words(&told).contains("the rule changed cache marks only, in half of its sessions"));
    let left = std::fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left, 1, "the demo takes away what it made; only the home is there");
}

/// The sessions are the seed's, and so are the sides that they are on; time is virtual.
#[test]
fn the_demo_of_the_default_seed_proves_that_it_worked() {
    let told = Place::new().run(&[&DEMO[..], &QUICK].concat()).done();
    assert!(told.contains("\n1 measured   4,436 calls, "), "another seed or scale?\n{told}");
    let proved = told.split_once("\n4 proved ").expect("it comes to a verdict").1;
    assert!(words(proved).starts_with("predicted −78.1% realised −7"), "{told}");
    assert!(words(proved).contains(" WORKED "), "{told}");
}

#[test]
fn a_narrow_terminal_gets_the_same_words_in_shorter_lines() {
    let wide = little(&Place::new(), "100").done();
    let narrow = little(&Place::new(), "40");
    let is_prose = |line: &&str| !line.contains(" + ") && !line.starts_with("dashboard: ");
    for line in narrow.out.lines().chain(narrow.err.lines()).filter(is_prose) {
        assert!(line.chars().count() <= 40, "{line}\n{narrow:?}");
    }
    assert_eq!(words(&narrow.done()), words(&wide), "the same seed gives the same figures");
}

#[test]
fn a_demo_that_is_interrupted_says_so_and_keeps_nothing() {
    let place = Place::new();
    let arguments = [&DEMO[..], &LITTLE, &["--for", "4s"]].concat();
    let mut demo = place.command(&arguments).spawn().unwrap();
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

fn little(place: &Place, columns: &str) -> Said {
    let mut command = place.command(&[&DEMO[..], &QUICK, &LITTLE].concat());
    place.said(&command.env("COLUMNS", columns).output().unwrap())
}

/// Wherever the lines end.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
