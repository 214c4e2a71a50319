//! Seeded traffic: conversations and questions as bodies of requests, clean or with one thing in them
//! that breaks their prefix, read as the gateway reads them.

use std::sync::Arc;

use scrimp_core::call::{Caller, Dialect, Digest};
use scrimp_core::price::{CacheKind, CacheRules, Card, Rates, Terms};
use scrimp_core::record::Timing;
use scrimp_core::{
    Attempt, Call, CallId, Catalog, Ending, Entry, Metering, PriceRow, Record, Span, Tier, Time,
    Usage, hash,
};
use scrimp_wire::Key;
use scrimp_wire::dialect::read;

/// What is wrong with a family of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Time,
    Date,
    Id,
    Random,
    Number,
    KeyOrder,
    ToolKeyOrder,
    ToolOrder,
    ToolChanged,
    ToolSet,
    Trimmed,
    Rewritten,
    Model,
    Parameter,
}

pub(crate) const ALL: [Planted; 14] = [
    Planted::Time,
    Planted::Date,
    Planted::Id,
    Planted::Random,
    Planted::Number,
    Planted::KeyOrder,
    Planted::ToolKeyOrder,
    Planted::ToolOrder,
    Planted::ToolChanged,
    Planted::ToolSet,
    Planted::Trimmed,
    Planted::Rewritten,
    Planted::Model,
    Planted::Parameter,
];

/// Numbers from a seed.
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = hash::mix(self.0);
        self.0 % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).expect("below a length")
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.index(at + 1));
        }
    }

    fn letters(&mut self, alphabet: &str, length: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| self.of(&letters)).collect()
    }

    /// Prose of about so many characters, with numbers that stay.
    fn prose(&mut self, length: usize) -> String {
        const WORDS: [&str; 40] = [
            "the", "customer", "answer", "never", "order", "always", "within", "24", "hours",
            "refund", "policy", "if", "it", "costs", "more", "than", "$12.50", "ask", "first",
            "user", "for", "naïve", "details", "and", "who", "wants", "to", "know", "about",
            "shipping", "must", "be", "told", "that", "nothing", "else", "can", "help", "them",
            "today",
        ];
        let mut text = String::new();
        while text.len() < length {
            text.push_str(self.of(&WORDS));
            text.push_str(if self.below(9) == 0 { ".\n" } else { " " });
        }
        text
    }
}

/// One request.
#[derive(Clone, Debug)]
struct Asked {
    at_s: i64,
    session: u64,
    model: &'static str,
    parameters: String,
    tools: Vec<String>,
    system: Vec<String>,
    messages: Vec<(&'static str, String)>,
}

/// A family of calls that should share a prefix.
struct Family {
    dice: Dice,
    dialect: Dialect,
    is_named: bool,
    tools: Vec<Vec<String>>,
    rules: Vec<String>,
    /// Where in the rules something is planted: the block, and the byte.
    spot: (usize, usize),
    /// Which look the planted thing has in this family.
    look: u64,
}

const MODELS: [&str; 4] = ["model-a", "model-b", "model-c", "model-d"];

impl Family {
    fn new(seed: u64) -> Family {
        let mut dice = Dice(hash::mix(seed));
        let tools = 4 + dice.below(9);
        let tools = (0..tools).map(|at| tool(&mut dice, at)).collect();
        let blocks = 1 + dice.below(3);
        let rules: Vec<String> = (0..blocks)
            .map(|_| {
                let length = 3_000 + dice.index(9_000);
                dice.prose(length)
            })
            .collect();
        let block = dice.index(rules.len());
        let at = dice.index(rules[block].len());
        let at = (0..=at).rev().find(|at| rules[block].as_bytes()[*at] == b' ').unwrap_or(0);
        Family {
            dialect: dice.of(&[Dialect::AnthropicMessages, Dialect::OpenaiChat]),
            is_named: dice.below(2) == 0,
            tools,
            rules,
            spot: (block, at),
            look: dice.below(4),
            dice,
        }
    }

    /// Turn `turn` of a conversation of which `history` is all that was said.
    fn ask(&mut self, at_s: i64, session: u64, history: &[(&'static str, String)]) -> Asked {
        Asked {
            at_s,
            session,
            model: MODELS[0],
            parameters: String::new(),
            tools: self.tools.iter().map(|members| format!("{{{}}}", members.join(","))).collect(),
            system: self.rules.clone(),
            messages: history.to_vec(),
        }
    }

    /// What stands in the instructions and is another at each call.
    fn text(&mut self, planted: Planted, number: u64) -> Option<String> {
        const HEX: &str = "0123456789abcdef";
        const ALL: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let dice = &mut self.dice;
        let (hour, minute, second) = (dice.below(24), dice.below(60), dice.below(60));
        let (month, name) = dice.of(&MONTHS);
        let (week, day) = (dice.of(&["Monday", "Tuesday", "Friday"]), 1 + dice.below(28));
        let mut members: Vec<String> =
            (0..8).map(|at| format!("\"key_{at}\": \"{}\"", "v".repeat(at))).collect();
        dice.shuffle(&mut members);
        let mut part = |length| dice.letters(HEX, length);
        Some(match (planted, self.look) {
            (Planted::Time, 0) => format!(" It is {hour:02}:{minute:02}:{second:02} now."),
            (Planted::Time, 1) => format!(" Now: 2026-11-23T{hour:02}:{minute:02}:{second:02}Z."),
            (Planted::Time, 2) => format!(" Timestamp {}.", 1_795_392_000 + dice.below(90_000)),
            (Planted::Time, _) => format!(" The time is {}:{minute:02} PM.", 1 + hour % 12),
            (Planted::Date, 0) => format!(" Today is 2026-{month:02}-{day:02}."),
            (Planted::Date, 1) => format!(" Today is {week}, {name} {day}, 2026."),
            (Planted::Date, 2) => format!(" As of {day} {} 2026, all is open.", &name[..3]),
            (Planted::Date, _) => format!(" Date: {day:02}.{month:02}.2026!"),
            (Planted::Id, 0) => {
                format!(" ({}-{}-{}-{}-{})", part(8), part(4), part(4), part(4), part(12))
            }
            (Planted::Id, 1) => format!(" Request id: {}.", part(12)),
            (Planted::Id, 2) => format!(" user_id={} is asking.", 10_000 + dice.below(90_000)),
            (Planted::Id, _) => format!(" Trace req_{}.", part(16)),
            (Planted::Random, 0) => format!(" Nonce {}.", part(32)),
            (Planted::Random, 1) => format!(" ({})", dice.letters(ALL, 22)),
            (Planted::Random, 2) => format!(" seed={}", dice.below(1_000_000)),
            // Every fifth has no digit at all.
            (Planted::Random, _) => format!(" [{}]", dice.letters(ALL, 10)),
            (Planted::Number, _) => format!(" This is call {number} of today."),
            (Planted::KeyOrder, 0) => format!(" Settings: {{{}}}.", members.join(", ")),
            (Planted::KeyOrder, 1) => format!(" Set: [{}].", members.join(", ")),
            (Planted::KeyOrder, _) => format!("\n- {}\n", members.join("\n- ")),
            _ => return None,
        })
    }

    fn plant(&mut self, planted: Planted, asked: &mut Asked, number: u64) {
        if let Some(text) = self.text(planted, number) {
            let (block, at) = self.spot;
            return asked.system[block].insert_str(at, &text);
        }
        let dice = &mut self.dice;
        let tool = self.spot.1 % self.tools.len();
        match planted {
            Planted::ToolKeyOrder => {
                let mut members = self.tools[tool].clone();
                // The name stays in front, as most libraries write it.
                dice.shuffle(&mut members[1..]);
                asked.tools[tool] = format!("{{{}}}", members.join(","));
            }
            Planted::ToolOrder => dice.shuffle(&mut asked.tools),
            Planted::ToolChanged => {
                let names = ["Ada", "Grace", "Barbara", "Frances", "Jean", "Radia"];
                let (old, new) = match self.look {
                    0 => ("\"default\":", format!("\"limit\":{number},\"default\":")),
                    _ => ("About ", format!("For {} and {}. ", dice.of(&names), dice.of(&names))),
                };
                asked.tools[tool] = asked.tools[tool].replacen(old, &new, 1);
            }
            Planted::ToolSet => {
                let keep = 2 + dice.index(asked.tools.len() - 2);
                while keep < asked.tools.len() {
                    let at = dice.index(asked.tools.len());
                    asked.tools.remove(at);
                }
            }
            Planted::Trimmed => {
                let surplus = asked.messages.len().saturating_sub(7).next_multiple_of(2);
                asked.messages.drain(..surplus);
            }
            Planted::Rewritten => {
                // Of the first answers only the beginning is kept, and each turn says so anew.
                let answers = asked.messages.iter_mut().filter(|(role, _)| *role == "assistant");
                for (_, text) in answers.take(1 + dice.index(2)) {
                    let kept: String = text.chars().take(60).collect();
                    *text = format!("[{number} cleared] {kept}");
                }
            }
            Planted::Model => asked.model = dice.of(&MODELS),
            Planted::Parameter => asked.parameters = parameter(dice, self.dialect, self.look),
            _ => unreachable!("a text was planted"),
        }
    }
}

/// A parameter that is rendered into the prompt, of five values.
fn parameter(dice: &mut Dice, dialect: Dialect, look: u64) -> String {
    let choice = dice.below(5);
    let effort = dice.of(&["minimal", "low", "medium", "high", "none"]);
    let (name, value) = match (dialect, look) {
        (Dialect::OpenaiChat, 0) => (
            "response_format",
            format!(r#"{{"type":"json_schema","json_schema":{{"name":"answer_{choice}"}}}}"#),
        ),
        (Dialect::OpenaiChat, _) => ("reasoning_effort", format!("\"{effort}\"")),
        (_, 0) => ("tool_choice", format!(r#"{{"type":"tool","name":"tool_{choice}"}}"#)),
        _ => {
            let budget = 1_024 * (1 + choice);
            ("thinking", format!(r#"{{"type":"enabled","budget_tokens":{budget}}}"#))
        }
    };
    format!("\"{name}\":{value},")
}

const MONTHS: [(u64, &str); 6] = [
    (1, "January"),
    (2, "February"),
    (5, "May"),
    (9, "September"),
    (11, "November"),
    (12, "December"),
];

/// The members of a tool's definition.
fn tool(dice: &mut Dice, at: u64) -> Vec<String> {
    let about = dice.prose(300).replace(['\n', '"'], " ");
    vec![
        format!("\"name\":\"tool_{at}\""),
        format!("\"description\":\"About {about}\""),
        format!(
            "\"input_schema\":{{\"type\":\"object\",\"properties\":{{\"path\":{{\"type\":\"string\"}},\"limit\":{{\"type\":\"integer\",\"default\":{}}}}},\"required\":[\"path\"]}}",
            10 + at
        ),
        "\"strict\":true".to_owned(),
    ]
}

/// Conversations side by side, each turn soon after the one before.
fn conversations(family: &mut Family, planted: Option<Planted>) -> Vec<Asked> {
    let in_conversation =
        [Planted::Trimmed, Planted::Rewritten, Planted::Model, Planted::Parameter];
    if planted.is_some_and(|planted| in_conversation.contains(&planted)) {
        // What breaks in a conversation costs most where that is most of the prompt.
        family.rules.truncate(1);
    }
    let sessions = 3 + family.dice.below(3);
    let turns = 7 + family.dice.below(4);
    let mut all = Vec::new();
    for session in 0..sessions {
        let mut history = Vec::new();
        let start = 37 * session.cast_signed() + family.dice.below(60).cast_signed();
        for turn in 0..turns {
            let asked = 200 + family.dice.index(600);
            history.push(("user", family.dice.prose(asked)));
            let at_s = start + 60 * turn.cast_signed() + family.dice.below(20).cast_signed();
            all.push(family.ask(at_s, session, &history));
            let said = 300 + family.dice.index(2_000);
            history.push(("assistant", family.dice.prose(said)));
        }
    }
    all.sort_by_key(|asked| asked.at_s);
    for (asked, number) in all.iter_mut().zip(10..) {
        if let Some(planted) = planted {
            family.plant(planted, asked, number);
        }
    }
    all
}

/// Traffic with something planted in it.
pub(crate) fn broken(planted: Planted, seed: u64) -> Vec<Entry> {
    let mut family = Family::new(seed);
    let asked = conversations(&mut family, Some(planted));
    entries(&family, &asked, "chat")
}

/// Traffic in which nothing breaks, of every kind side by side.
pub(crate) fn clean(seed: u64) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, make: &dyn Fn(&mut Family) -> Vec<Asked>| {
        let mut family = Family::new(hash::chain(seed, hash::text(name)));
        let mut asked = make(&mut family);
        asked.sort_by_key(|asked| asked.at_s);
        all.extend(entries(&family, &asked, name));
    };
    add("conversation", &|family| conversations(family, None));
    add("one-shot", &|family| one_shots(family, 80));
    add("fan-out", &fan_out);
    add("edited", &edited);
    add("compacted", &compacted);
    add("two models", &two_models);
    add("retried", &|family| {
        let asked = conversations(family, None);
        asked
            .iter()
            .flat_map(|asked| [asked.clone(), Asked { at_s: asked.at_s + 3, ..asked.clone() }])
            .collect()
    });
    add("sub-agents", &|family| {
        let mut all = conversations(family, None);
        let mut other = Family::new(family.dice.0);
        other.tools.clone_from(&family.tools);
        all.extend(conversations(&mut other, None));
        all
    });
    all.sort_by_key(|entry| entry.record.call.arrived);
    all
}

fn one_shots(family: &mut Family, calls: u64) -> Vec<Asked> {
    let ask = |at: u64| {
        let text = family.dice.prose(900);
        family.ask(15 * at.cast_signed(), at, &[("user", text)])
    };
    (0..calls).map(ask).collect()
}

/// Many questions about one long text.
fn fan_out(family: &mut Family) -> Vec<Asked> {
    let mut all = Vec::new();
    for document in 0..4 {
        let text = family.dice.prose(12_000);
        for question in 0..10 {
            let asked = family.dice.prose(120);
            let at_s = 400 * document + 2 * question;
            let messages = [("user", text.clone()), ("user", asked)];
            all.push(family.ask(at_s, 50 + document.cast_unsigned(), &messages));
        }
    }
    all
}

/// The last message is written anew, and the conversation goes on from there.
fn edited(family: &mut Family) -> Vec<Asked> {
    let mut all = Vec::new();
    for asked in conversations(family, None) {
        let mut again = asked.clone();
        again.at_s += 9;
        let last = again.messages.len() - 1;
        again.messages[last].1 = family.dice.prose(400);
        all.extend([again, asked]);
    }
    all
}

/// Once in a long conversation all but the last turn becomes a summary.
fn compacted(family: &mut Family) -> Vec<Asked> {
    let mut all = Vec::new();
    for session in 0..4 {
        let mut history: Vec<(&'static str, String)> = Vec::new();
        for turn in 0..24 {
            history.push(("user", family.dice.prose(500)));
            let at_s = 50 * turn + 11 * session;
            all.push(family.ask(at_s, 90 + session.cast_unsigned(), &history));
            history.push(("assistant", family.dice.prose(1_500)));
            if turn == 14 {
                let kept = history.split_off(history.len() - 2);
                history = vec![("user", family.dice.prose(1_200))];
                history.extend(kept);
            }
        }
    }
    all
}

/// Every prompt goes to two models, to compare them.
fn two_models(family: &mut Family) -> Vec<Asked> {
    let both = |asked: &Asked| {
        [asked.clone(), Asked { model: MODELS[1], at_s: asked.at_s + 1, ..asked.clone() }]
    };
    conversations(family, None).iter().flat_map(both).collect()
}

impl Asked {
    fn body(&self, dialect: Dialect) -> String {
        let Asked { model, parameters, tools, system, messages, .. } = self;
        let text = |text: &String| serde_json::to_string(text).expect("a text");
        let mut body =
            format!("{{\"model\":\"{model}\",\"max_tokens\":800,{parameters}\"tools\":[");
        if dialect == Dialect::OpenaiChat {
            let wrapped = |tool: &String| format!(r#"{{"type":"function","function":{tool}}}"#);
            let of_system = |block| format!("{{\"role\":\"system\",\"content\":{}}},", text(block));
            body.push_str(&tools.iter().map(wrapped).collect::<Vec<_>>().join(","));
            body.push_str("],\"messages\":[");
            for block in system {
                body.push_str(&of_system(block));
            }
        } else {
            let block = |block| format!(r#"{{"type":"text","text":{}}}"#, text(block));
            body.push_str(&tools.join(","));
            body.push_str("],\"system\":[");
            body.push_str(&system.iter().map(block).collect::<Vec<_>>().join(","));
            body.push_str("],\"messages\":[");
        }
        let said = |(role, said): &(&str, String)| {
            format!("{{\"role\":\"{role}\",\"content\":{}}}", text(said))
        };
        body.push_str(&messages.iter().map(said).collect::<Vec<_>>().join(","));
        body.push_str("]}");
        body
    }
}

fn entries(family: &Family, asked: &[Asked], operation: &str) -> Vec<Entry> {
    let key = Key::new([7; 32]);
    let entry = |(asked, number): (&Asked, u64)| {
        let body = asked.body(family.dialect);
        let facts = read(family.dialect, body.as_bytes(), &key).expect("a good body").facts;
        let session = hash::chain(hash::text(operation), asked.session);
        let session = Digest(u128::from(session).to_le_bytes());
        let call = Call {
            id: CallId(u128::from(hash::text(operation)) << 64 | u128::from(number)),
            seed: number,
            arrived: Time::from_secs(1_795_000_000 + asked.at_s),
            dialect: family.dialect,
            provider: "provider".into(),
            model: facts.model,
            operation: operation.into(),
            caller: Caller { session: family.is_named.then_some(session), ..Caller::default() },
            delivery: facts.delivery,
            parameters: facts.parameters,
            prompt: facts.prompt,
            body_bytes: body.len() as u64,
        };
        recorded(call)
    };
    asked.iter().zip(0..).map(entry).collect()
}

/// Calls with these bodies, half a minute apart.
pub(crate) fn bodies(bodies: &[String]) -> Vec<Entry> {
    let key = Key::new([7; 32]);
    let entry = |(body, number): (&String, u64)| {
        let facts = read(Dialect::AnthropicMessages, body.as_bytes(), &key).expect("it is read");
        let facts = facts.facts;
        recorded(Call {
            id: CallId(u128::from(number)),
            seed: number,
            arrived: Time::from_secs(1_795_000_000 + 30 * number.cast_signed()),
            dialect: Dialect::AnthropicMessages,
            provider: "provider".into(),
            model: facts.model,
            operation: "chat".into(),
            caller: Caller::default(),
            delivery: facts.delivery,
            parameters: facts.parameters,
            prompt: facts.prompt,
            body_bytes: body.len() as u64,
        })
    };
    bodies.iter().zip(0..).map(entry).collect()
}

fn recorded(call: Call) -> Entry {
    let usage = Usage { uncached: call.estimated_tokens(), output: 100, ..Usage::ZERO };
    let (head, ended) = (Span::from_millis(400), Span::from_secs(2));
    let attempt = Attempt {
        provider: call.provider.clone(),
        model: call.model.clone(),
        sent: Span::ZERO,
        ended,
        status: Some(200),
        fault: None,
        metering: Metering::measured(usage),
        terms: Terms::default(),
        cost: None,
        priced_as: None,
    };
    let mut record = Record {
        call: Arc::new(call),
        placement: None,
        shaped: None,
        budgeted: None,
        attempts: vec![attempt],
        ending: Ending::Answered { status: 200, finish: Some("stop".into()) },
        metering: Metering::measured(usage),
        cost: None,
        cost_uncached: None,
        timing: Timing { head: Some(head), ended: Some(ended), ..Timing::default() },
    };
    record.charge(&prices());
    Entry { record, trail: None }
}

/// The models, at usual ratios.
pub(crate) fn prices() -> Arc<Catalog> {
    let rate = |text: &str| text.parse().expect("a rate");
    let rates = Rates {
        input: rate("5e-6"),
        cache_read: Some(rate("5e-7")),
        cache_write_short: Some(rate("6.25e-6")),
        cache_write_long: Some(rate("1e-5")),
        audio_input: None,
        image_input: None,
        output: rate("2.5e-5"),
        reasoning: None,
        audio_output: None,
    };
    let cache = CacheRules {
        kind: CacheKind::Breakpoints,
        min_tokens: 1_024,
        short: Span::from_minutes(30),
        long: Some(Span::from_hours(12)),
        marks: 4,
        look_back: None,
        step: 1,
    };
    let mut prices = Catalog::default();
    for model in MODELS {
        prices.add(PriceRow {
            provider: "provider".into(),
            model: model.into(),
            from: None,
            until: None,
            cards: vec![Card { tier: Tier::Standard, above: 0, rates }],
            fast_permille: None,
            us_permille: None,
            eu_permille: None,
            cache: Some(cache),
        });
    }
    Arc::new(prices)
}
