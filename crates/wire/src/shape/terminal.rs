//! Terminal output as a reader of the screen would have it in the end: without colours, white space
//! at the ends of lines, and the states of a progress bar before its last.
//!
//! A line that is written over again is dropped only where it shows progress (a percentage, a bar, a
//! count) and the line over it goes on in the same words, or where the program itself erased it. So
//! a text whose lines end with a carriage return alone loses nothing.
//!
//! Every character is looked at a fixed number of times, whatever the text: output may be megabytes,
//! and may be made to be slow to read.

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const CONTROL_SEQUENCE: char = '\u{9b}';

/// A text of a terminal without what only a terminal needs. `None` if there is nothing of that.
pub fn terminal(text: &str) -> Option<String> {
    let is_touched = text.bytes().any(|byte| matches!(byte, 0x1b | 0x8 | b'\r' | 0xc2))
        || text.split('\n').any(|line| line.ends_with([' ', '\t']));
    if !is_touched {
        return None;
    }
    let cleaned = Cleaned::of(text).text;
    (cleaned.len() < text.len()).then_some(cleaned)
}

/// A cleaned text, and how many characters were looked at for it.
struct Cleaned {
    text: String,
    work: usize,
}

impl Cleaned {
    fn of(text: &str) -> Cleaned {
        let mut screen = Screen::default();
        screen.read(text);
        let mut cleaned = Cleaned { text: String::with_capacity(text.len()), work: screen.work };
        for (at, line) in screen.text.split('\n').enumerate() {
            if 0 < at {
                cleaned.text.push('\n');
            }
            cleaned.line(line);
        }
        cleaned
    }

    /// Appends a line without the states that were written over.
    fn line(&mut self, line: &str) {
        self.work += line.len();
        let (line, end) = match line.strip_suffix('\r') {
            Some(line) => (line, "\r"),
            None => (line, ""),
        };
        let mut states = Vec::new();
        for state in line.split('\r') {
            let trimmed = state.trim_end_matches([' ', '\t']);
            if !trimmed.is_empty() {
                states.push(trimmed);
            } else if states.last().is_some_and(|last| last.len() <= state.len()) {
                // Written over with blanks.
                states.clear();
            }
        }
        let mut kept = Vec::with_capacity(states.len());
        let mut words_over = Vec::new();
        while let Some(state) = states.pop() {
            let words = words(state);
            self.work += 3 * state.len();
            let is_over = !kept.is_empty() && shows_progress(state) && go_on(&words, &words_over);
            if !is_over {
                kept.push(state);
                words_over = words;
            }
        }
        for (at, state) in kept.iter().rev().enumerate() {
            if 0 < at {
                self.text.push('\r');
            }
            self.text.push_str(state);
        }
        self.text.push_str(end);
    }
}

/// The letters of a state, of which the figures and the bar are no part.
fn words(state: &str) -> Vec<char> {
    state.chars().filter(|c| c.is_alphabetic()).collect()
}

/// Whether the state written over another goes on in its words: half of them at least.
fn go_on(words: &[char], over: &[char]) -> bool {
    let same = words.iter().zip(over).take_while(|(one, other)| one == other).count();
    words.len() <= 2 * same
}

/// Whether a state has a percentage, a count of so many, a bar or a spinner.
fn shows_progress(state: &str) -> bool {
    let mut before = ['\0'; 2];
    let mut is_spinner = true;
    for c in state.chars() {
        is_spinner &= matches!(c, '|' | '/' | '-' | '\\' | '\u{2800}'..='\u{28ff}' | ' ');
        let is_bar = "#=-.>*+".contains(c) || matches!(c, '\u{2500}'..='\u{25ff}');
        let is_counted = c.is_ascii_digit() && before[1] == '/' && before[0].is_ascii_digit();
        let is_share = c == '%' && before[1].is_ascii_digit();
        if is_counted || is_share || (is_bar && before == [c, c]) {
            return true;
        }
        before = [before[1], c];
    }
    is_spinner
}

/// Plain text and its lines, while control sequences are taken out.
#[derive(Default)]
struct Screen {
    text: String,
    /// Where the last line begins.
    line: usize,
    /// Where its last state begins.
    state: usize,
    work: usize,
}

impl Screen {
    fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match c {
                ESCAPE => self.escape(after),
                CONTROL_SEQUENCE => self.sequence(after).unwrap_or(after),
                '\u{8}' => {
                    self.back();
                    after
                }
                '\n' | '\r' => {
                    self.put(&rest[..1]);
                    self.state = self.text.len();
                    if c == '\n' {
                        self.line = self.state;
                    }
                    after
                }
                _ => {
                    let (plain, special) =
                        rest.split_at(rest.find(is_special).unwrap_or(rest.len()));
                    self.put(plain);
                    special
                }
            };
        }
    }

    fn put(&mut self, text: &str) {
        self.work += text.len();
        self.text.push_str(text);
    }

    /// What follows an escape, and what is left behind it. An escape that begins nothing known is
    /// dropped by itself.
    fn escape<'t>(&mut self, after: &'t str) -> &'t str {
        self.work += 1;
        match after.as_bytes().first() {
            Some(b'[') => self.sequence(&after[1..]).unwrap_or(after),
            Some(b']' | b'P' | b'_' | b'^' | b'X') => self.command(&after[1..]).unwrap_or(after),
            Some(b' '..=b'/') => {
                let end = run(after, |byte| matches!(byte, b' '..=b'/'));
                self.work += end;
                match after.as_bytes().get(end) {
                    Some(b'0'..=b'~') => &after[end + 1..],
                    _ => after,
                }
            }
            Some(b'0'..=b'~') => &after[1..],
            _ => after,
        }
    }

    /// A control sequence: parameters and a final letter. `None` if it breaks off.
    fn sequence<'t>(&mut self, after: &'t str) -> Option<&'t str> {
        let parameters = run(after, |byte| matches!(byte, b'0'..=b'?'));
        let between = run(&after[parameters..], |byte| matches!(byte, b' '..=b'/'));
        self.work += parameters + between + 1;
        let last = after.as_bytes().get(parameters + between)?;
        if !matches!(last, b'@'..=b'~') {
            return None;
        }
        if *last == b'K' {
            self.erase(&after[..parameters]);
        }
        Some(&after[parameters + between + 1..])
    }

    /// A command to the terminal, such as its title: up to a bell or the string terminator. `None` if
    /// it does not end.
    fn command<'t>(&mut self, after: &'t str) -> Option<&'t str> {
        let end = after.find(char::is_control).unwrap_or(after.len());
        self.work += end;
        let rest = &after[end..];
        rest.strip_prefix(BELL)
            .or_else(|| rest.strip_prefix("\u{1b}\\"))
            .or_else(|| rest.strip_prefix('\u{9c}'))
    }

    /// Erases the line if all of it is meant: by number, or from its beginning.
    fn erase(&mut self, parameters: &str) {
        let is_all = parameters == "2";
        let is_from_start = matches!(parameters, "" | "0") && self.state == self.text.len();
        if is_all || is_from_start {
            self.text.truncate(self.line);
            self.state = self.line;
        }
    }

    /// Goes back by a character, which is then written over.
    fn back(&mut self) {
        self.work += 1;
        if self.state < self.text.len() {
            self.text.pop();
        }
    }
}

/// How many bytes at the beginning are of one kind.
fn run(text: &str, is: fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
}

fn is_special(c: char) -> bool {
    matches!(c, ESCAPE | CONTROL_SEQUENCE | '\u{8}' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(rows: &[(&str, &str)]) {
        for (text, cleaned) in rows {
            assert_eq!(terminal(text).as_deref().unwrap_or(text), *cleaned, "{text:?}");
        }
    }

    #[test]
    fn colours_titles_and_other_sequences_go() {
        check(&[
            ("\u{1b}[1;32mok\u{1b}[0m done", "ok done"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bplain\u{1b}=", "plain"),
            ("\u{9b}31mred", "red"),
            ("a\u{1b}", "a"),
            ("a\u{1b}[12", "a[12"),
            ("\u{1b}\u{1b}[0m[31mx", "[31mx"),
            ("\u{1b}]0;never ends\nx", "]0;never ends\nx"),
        ]);
    }

    #[test]
    fn white_space_at_the_ends_of_lines_goes_and_all_other_stays() {
        check(&[
            ("a  \n  b\t\n\n c ", "a\n  b\n\n c"),
            ("a \r\nb\r\n", "a\r\nb\r\n"),
            ("  indented\n\ttoo", "  indented\n\ttoo"),
            ("\n\n", "\n\n"),
        ]);
    }

    #[test]
    fn of_a_progress_bar_the_last_state_stays() {
        check(&[
            ("get  10%\rget  50%\rget 100%\ndone", "get 100%\ndone"),
            ("[#   ] 1/4\r[##  ] 2/4\r[####] 4/4", "[####] 4/4"),
            ("⠋ building\r⠙ building\rbuilt", "⠋ building\r⠙ building\rbuilt"),
            ("|\r/\r-\r\\\rready", "ready"),
            ("|\u{8}/\u{8}-\u{8}ready", "ready"),
            ("step 1\r\u{1b}[Kstep 2\r\u{1b}[2Kstep 3", "step 3"),
            ("waiting\r        \rready", "ready"),
            ("50%\r\r\n", "50%\r\n"),
        ]);
    }

    #[test]
    fn lines_that_end_with_a_carriage_return_alone_are_no_progress() {
        check(&[
            ("apples\rpears\rplums", "apples\rpears\rplums"),
            ("apples 10%\rpears 20%", "apples 10%\rpears 20%"),
            ("first line\rsecond line\r", "first line\rsecond line\r"),
        ]);
    }

    fn any_output() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "\u{1b}", "[", "]", "0;", "K", "2K", "m", "31", "\u{7}", "\u{1b}\\", "\u{9b}",
            "\u{9c}", "\r", "\n", "\r\n", "\u{8}", " ", "\t", "50%", "1/2", "###", "get", "gets",
            "é", "(", "B", "x", "    ", "|", "P",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn again_changes_nothing(text in any_output()) {
            let once = Cleaned::of(&text).text;
            prop_assert_eq!(Cleaned::of(&once).text, once);
            prop_assert_eq!(terminal(&text).as_ref().and_then(|text| terminal(text)), None);
        }

        #[test]
        fn plain_lines_stay(text in "[a-z0-9%/#é]{0,9}(\n[a-z0-9 ]{0,5}[a-z])*") {
            prop_assert_eq!(terminal(&text), None);
        }

        #[test]
        fn no_text_takes_more_looks_than_a_fixed_number_for_each_byte(text in any_output(), times in 1_usize..400) {
            let long = text.repeat(times);
            prop_assert!(Cleaned::of(&long).work <= 8 * long.len() + 8);
        }
    }

    #[test]
    fn what_is_made_to_be_slow_is_not() {
        for piece in [
            "\u{1b}]",
            "\u{1b}[",
            "\u{1b}[1",
            "\u{1b}P",
            "\u{1b}(",
            "\r",
            "\u{8}",
            "x\u{8}",
            "a\r",
            "1%\r",
            "\u{1b}[2K",
            "x\u{1b}[2K",
            "\r\u{1b}[K",
            " \r",
            "\u{9b}",
            "get 1%\r",
            "\u{1b}\u{1b}",
            "\u{1b}]0;x",
        ] {
            for text in
                [piece.repeat(20_000), format!("{}{}", piece.repeat(20_000), "#".repeat(40_000))]
            {
                let work = Cleaned::of(&text).work;
                assert!(work <= 8 * text.len(), "{piece:?}: {work} for {}", text.len());
            }
        }
    }
}
