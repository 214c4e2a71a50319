//! What is made of the command line's definition: completions, manual pages, the reference.

use std::process::Command;

use crate::support::Place;
use expect_test::expect;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

#[test]
fn every_shell_gets_the_commands_and_their_options() {
    let place = Place::new();
    for shell in SHELLS {
        let script = place.run(&["completions", shell]).done();
        for word in ["step-down", "prompt-cache", "doctor", "no-open"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let wrong = place.run(&["completions", "tcsh"]).misused();
    assert!(wrong.contains("bash, elvish, fish, powershell, zsh"), "{wrong}");
}

#[test]
fn bash_can_read_its_script() {
    let place = Place::new();
    place.write("scrimp.bash", place.run(&["completions", "bash"]).done());
    let script = place.path("scrimp.bash");
    // What a shell asks when somebody writes `scrimp conf` and presses the key.
    let ask = format!(
        "source {}; COMP_WORDS=(scrimp conf); COMP_CWORD=1; _scrimp scrimp conf scrimp; \
         echo \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let said = Command::new("bash").args(["-c", &ask]).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), "config\n", "{:?}", said.stderr);
}

#[test]
fn the_manual_page_is_one_or_one_for_each_command() {
    let place = Place::new();
    let page = place.run(&["man"]).done();
    assert!(page.contains(".TH scrimp 1") && page.contains("scrimp\\-serve(1)"), "{page}");
    let said = place.run(&["man", "--to", "man/man1"]).done();
    let pages = std::fs::read_dir(place.path("man/man1")).unwrap().count();
    assert_eq!(said, format!("man/man1: {pages} pages\n"));
    let page = place.read("man/man1/scrimp-config-check.1");
    let title = page.lines().find(|line| line.starts_with(".TH"));
    expect![[r#".TH SCRIMP-CONFIG-CHECK 1  "scrimp 0.1.0" Scrimp"#]].assert_eq(title.unwrap());
    assert!(page.contains("scrimp config check"), "{page}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = Place::new();
    place.write("file", "");
    expect![[r#"
        error: file/man: Not a directory (os error 20)
    "#]]
    .assert_eq(&place.run(&["man", "--to", "file/man"]).failed());
}

#[test]
fn the_reference_has_every_command_once() {
    let text = Place::new().run(&["man", "--markdown"]).done();
    let headings = text.lines().filter(|line| line.starts_with("## `scrimp"));
    let mut headings: Vec<_> = headings.collect();
    let count = headings.len();
    headings.dedup();
    assert!(20 < count && count == headings.len(), "{headings:?}");
    let undo = text.split("\n## ").find(|part| part.starts_with("`scrimp undo`")).unwrap();
    expect![[r#"
        `scrimp undo`

        Take an applied rule back.

        ```text
        scrimp undo [OPTIONS] <NUMBER>
        ```

        | | |
        |---|---|
        | `<NUMBER>` | The number in the journal |
        | `--data <DIR>` | The data directory [default: $SCRIMP_DATA, else $XDG_DATA_HOME/scrimp, else ~/.local/share/scrimp] |
    "#]]
    .assert_eq(undo);
    assert!(!text.contains("--scale"), "what is hidden is not told");
}
