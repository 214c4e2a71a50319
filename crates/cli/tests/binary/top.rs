//! `scrimp top`: its figures as text, and its pictures on a real terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::support::{Place, Server, fields};

/// For what does not come at all if it does not come soon.
const A_WHILE: Duration = Duration::from_mins(1);
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };

fn size(number: u16) -> std::num::NonZero<u16> {
    std::num::NonZero::new(number).unwrap()
}

/// A gateway in front of simulated providers, and the directory that it runs on.
struct Rig {
    place: Place,
    gateway: Server,
    _providers: Server,
}

fn rig() -> Rig {
    let place = Place::new();
    let providers = place.start(&["sim", "--fast"]);
    place
        .write("scrimp.toml", format!("[providers.openai]\nbase_url = \"{}/v1\"\n", providers.url));
    let gateway = serve(&place);
    Rig { place, gateway, _providers: providers }
}

fn serve(place: &Place) -> Server {
    let files = ["--config", "scrimp.toml", "--data", "data"];
    place.start(&[&["serve"], &files[..], &["--listen", "127.0.0.1:0"]].concat())
}

fn call(gateway: &Server, model: &str) {
    let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello"}}]}}"#);
    let mut stream = std::net::TcpStream::connect(gateway.address()).unwrap();
    let (host, length) = (gateway.address(), body.len());
    let head = format!("host: {host}\r\nauthorization: Bearer sk-a\r\nx-scrimp-op: greet\r\n");
    let head = format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n");
    write!(stream, "POST /v1/chat/completions HTTP/1.1\r\n{head}{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A terminal with `scrimp top` on it.
struct Screen {
    child: Child,
    terminal: File,
    /// Kept open, so that its modes can be looked at when the program has ended.
    other_end: OwnedFd,
    seen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Screen {
    fn of(mut command: Command) -> Screen {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        tcsetwinsize(&terminal, SIZE).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let end = File::options().read(true).write(true).open(name).unwrap();
        let stdio = || Stdio::from(end.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        Screen {
            child,
            terminal: terminal.into(),
            other_end: end.into(),
            seen: vt100::Parser::new(size(SIZE.ws_row), size(SIZE.ws_col), 0),
            bytes: Vec::new(),
        }
    }

    /// Reads until the picture is as it is waited for; it is drawn at least every second.
    #[track_caller]
    fn shows(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let (began, mut part) = (Instant::now(), [0; 4096]);
        while !is_so(&self.seen.screen().contents()) {
            let picture = self.seen.screen().contents();
            assert!(began.elapsed() < A_WHILE, "{what} does not come:\n{picture}");
            let read = self.terminal.read(&mut part).unwrap();
            self.seen.process(&part[..read]);
            self.bytes.extend_from_slice(&part[..read]);
        }
    }

    fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.other_end).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// The exit code, after the terminal was left as it was found.
    #[track_caller]
    fn ended(mut self) -> Option<i32> {
        let exit = self.child.wait().unwrap().code();
        assert!(self.is_cooked());
        // What it wrote last is still to be read; our own end is open, so there is no end to wait for.
        while !self.bytes.ends_with(b"\x1b[?25h") {
            let mut byte = [0];
            assert_eq!(self.terminal.read(&mut byte).unwrap(), 1);
            self.bytes.extend(byte);
        }
        let text = String::from_utf8_lossy(&self.bytes);
        assert!(text.rfind("\x1b[?1049h") < text.rfind("\x1b[?1049l"), "{text}");
        exit
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn calls_stream_in_and_keys_are_obeyed() {
    let Rig { place, gateway, _providers } = rig();
    call(&gateway, "gpt-4o");
    let mut screen = Screen::of(place.command(&["top", "--data", "data"]));
    screen.shows("the first call", |picture| {
        picture.contains("[Models]") && picture.matches("openai/gpt-4o").count() == 2
    });
    assert!(!screen.is_cooked());
    call(&gateway, "gpt-4o-mini");
    screen.shows("a call as it ends", |picture| {
        let newest = picture.split("Newest calls").nth(1).unwrap_or_default();
        newest.contains("greet") && newest.contains("openai/gpt-4o-mini")
    });
    screen.press("\t");
    screen.shows("the operations", |picture| picture.contains("[Operations]"));
    screen.press("?");
    screen.shows("the help", |picture| picture.contains("any key closes"));
    screen.press("x");
    screen.shows("the end of the help", |picture| !picture.contains("any key closes"));
    screen.press("q");
    assert_eq!(screen.ended(), Some(0));
}

#[test]
fn a_gateway_that_comes_again_is_found_again() {
    let Rig { place, gateway, _providers } = rig();
    let mut screen = Screen::of(place.command(&["top", "--data", "data"]));
    screen.shows("the figures", |picture| picture.contains("observing"));
    assert_eq!(gateway.stop("-TERM").0, Some(0));
    screen.shows("that it is gone", |picture| picture.contains("trying again: no gateway runs on"));
    let gateway = serve(&place);
    screen.shows("that it is there", |picture| !picture.contains("trying again"));
    call(&gateway, "gpt-4o");
    screen.shows("a call", |picture| picture.contains("openai/gpt-4o"));
    screen.press("\x03");
    assert_eq!(screen.ended(), Some(0));
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let Rig { place, gateway: _gateway, _providers } = rig();
    let mut screen = Screen::of(place.command(&["top", "--data", "data"]));
    screen.shows("the figures", |picture| picture.contains("observing"));
    let pid = screen.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(screen.ended(), Some(143));
}

#[test]
fn without_a_terminal_it_prints_once_or_says_why_not() {
    let Rig { place, gateway, _providers } = rig();
    call(&gateway, "gpt-4o");
    let said = place.run(&["top", "--once", "--url", &gateway.url]).done();
    assert!(said.starts_with("last hour: 1 call\ncalls "), "{said}");
    assert!(said.contains("openai/gpt-4o") && said.contains("greet"), "{said}");
    let told = place.run(&["top", "--json", "--data", "data"]).json();
    let expected = [
        "at_ms",
        "calls",
        "calls_per_second",
        "gateway",
        "health",
        "last_hour",
        "models",
        "operations",
        "usd_today",
    ];
    assert_eq!(fields(&told), expected);
    assert_eq!((&told["last_hour"]["calls"], &told["calls_per_second"]), (&1.into(), &0.0.into()));
    assert_eq!(told["usd_today"], told["last_hour"]["usd"]);
    expect![[r#"
        error: there is no terminal to draw on
        hint: `--once` prints the figures as text, `--json` for scripts
    "#]]
    .assert_eq(&place.run(&["top", "--data", "data"]).failed());
}

#[test]
fn what_is_no_gateway_is_named() {
    let place = Place::new();
    expect![[r#"
        error: no gateway runs on data
        hint: one elsewhere is named with --url or --data
    "#]]
    .assert_eq(&place.run(&["top", "--once", "--data", "data"]).failed());
    expect![[r#"
        error: http://127.0.0.1:1 cannot be reached: Connection refused (os error 111)
    "#]]
    .assert_eq(&place.run(&["top", "--once", "--url", "http://127.0.0.1:1"]).failed());
    expect![[r#"
        error: `127.0.0.1:4100` is no address of a gateway, such as http://127.0.0.1:4100
    "#]]
    .assert_eq(&place.run(&["top", "--once", "--url", "127.0.0.1:4100"]).failed());
}

#[test]
fn a_health_check_hears_whether_calls_are_taken() {
    let place = Place::new();
    let asked = ["doctor", "--running", "--data", "data"];
    assert!(place.run(&asked).failed().starts_with("error: no gateway runs on "));
    let gateway = place.start(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]);
    assert_eq!(place.run(&asked).done(), "ready\n");
    assert_eq!(gateway.stop("-TERM").0, Some(0));
    assert_eq!(place.run(&asked).exit, Some(1));
}
