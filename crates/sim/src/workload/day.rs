//! A day of traffic of four kinds, each as its users would know it.

use super::session::{OwnMarks, Session, Shape};
use crate::dice::{Dice, Key, float, whole};
use crate::latency::milliseconds;
use crate::models::Api;
use crate::speech::sentence;
use serde_json::{Value, json};
use std::time::Duration;

/// What an application does with its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One system prompt with its FAQ for all, short conversations, people who leave.
    SupportChat,
    /// Retrieved passages before a question; mostly one call.
    Rag,
    /// Long conversations that grow with every tool's result, and sub-agents beside them.
    CodingAgent,
    /// Many single calls with one long instruction, in bursts.
    BatchExtraction,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 4] =
        [Workload::SupportChat, Workload::Rag, Workload::CodingAgent, Workload::BatchExtraction];

    fn name(self) -> &'static str {
        match self {
            Workload::SupportChat => "support",
            Workload::Rag => "rag",
            Workload::CodingAgent => "agent",
            Workload::BatchExtraction => "batch",
        }
    }
}

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// A day's sessions in the order of their start. `scale` 1.0 is about 2,000 calls.
pub fn day(kind: Workload, seed: u64, scale: f64) -> Vec<Session> {
    let sessions = match kind {
        Workload::SupportChat => 790.0,
        Workload::Rag => 1_750.0,
        Workload::CodingAgent => 62.0,
        Workload::BatchExtraction => 2_000.0,
    };
    let count = whole((sessions * scale).round()).max(1);
    let mut dice = Dice::new(seed, kind.name(), 0);
    let company = Company::new(&mut dice);
    let mut day: Vec<Session> = (0..count)
        .flat_map(|number| {
            let mut dice = Dice::new(seed, kind.name(), Key::from(number + 1));
            let id = format!("{}-{seed}-{number}", kind.name());
            match kind {
                Workload::SupportChat => vec![support(&company, id, &mut dice)],
                Workload::Rag => vec![rag(&company, id, &mut dice)],
                Workload::CodingAgent => agent(&company, &id, &mut dice),
                Workload::BatchExtraction => vec![batch(&company, id, number, &mut dice)],
            }
        })
        .collect();
    day.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    day
}

/// What all sessions of a day share.
struct Company {
    support: String,
    rag: String,
    agent: String,
    sub_agent: String,
    batch: String,
    passages: Vec<String>,
    tools: Vec<(String, String)>,
}

impl Company {
    fn new(dice: &mut Dice) -> Company {
        let mut text = |about: &str, words| format!("{about} {}", sentence(dice, words));
        Company {
            support: text("You answer customers of a shop. The frequent questions:", 2_600),
            rag: text("Answer from the passages only, and name them.", 420),
            agent: text("You are a coding agent. You work in a repository with tools.", 3_400),
            sub_agent: text("You search a repository for another agent and report.", 1_500),
            batch: text("Extract the fields of the invoice. The rules for each field:", 4_600),
            passages: (0..200).map(|n| text(&format!("Passage {n}."), 260)).collect(),
            tools: ["read_file", "write_file", "search", "run_command", "list_directory", "web"]
                .map(|name| (name.to_owned(), text(&format!("The tool {name}."), 160)))
                .to_vec(),
        }
    }

    fn tools(&self, api: Api) -> Vec<Value> {
        let schema = json!({
            "type": "object",
            "properties": {"path": {"type": "string"}, "line": {"type": "integer"}},
            "required": ["path"],
        });
        let tool = |(name, about): &(String, String)| match api {
            Api::OpenAi => json!({"type": "function", "function":
                {"name": name, "description": about, "parameters": schema}}),
            Api::Anthropic => {
                json!({"name": name, "description": about, "input_schema": schema})
            }
        };
        self.tools.iter().map(tool).collect()
    }
}

/// A time of the day, most of them between nine and eighteen o'clock.
fn office_hours(dice: &mut Dice) -> Duration {
    let hour = if dice.chance(0.85) {
        // Two draws make noon likelier than the edges.
        9.0 + 4.5 * (dice.unit() + dice.unit())
    } else {
        24.0 * dice.unit()
    };
    milliseconds((hour * 3600.0).min(DAY_S - 1.0))
}

fn session(
    id: String,
    operation: &'static str,
    start: Duration,
    shape: Shape,
    dice: &mut Dice,
) -> Session {
    Session {
        id,
        operation,
        start,
        shape,
        dice: Dice::new(dice.bits(), "session", 0),
        messages: Vec::new(),
        turns_left: 1,
        steps_left: 1,
        last: None,
        retries_left: 1,
    }
}

fn shape(api: Api, model: &'static str, key: &'static str, system: &str) -> Shape {
    Shape {
        api,
        model,
        key,
        system: system.to_owned(),
        tools: Vec::new(),
        format: None,
        stream: false,
        max_tokens: 1024,
        thinking: None,
        marks: OwnMarks::None,
        think_s: 30.0,
        tool: (1.5, 220.0),
        said_tokens: 40.0,
        hang_up_share: 0.0,
    }
}

fn support(company: &Company, id: String, dice: &mut Dice) -> Session {
    let model = match dice.below(10) {
        0..6 => (Api::Anthropic, "claude-sonnet-5-5"),
        6..8 => (Api::OpenAi, "gpt-6-sol"),
        _ => (Api::OpenAi, "gpt-4o-mini"),
    };
    let shape = Shape {
        stream: true,
        think_s: 45.0,
        hang_up_share: 0.015,
        max_tokens: 700,
        ..shape(model.0, model.1, "sk-sim-support", &company.support)
    };
    let start = office_hours(dice);
    let turns = dice.size(2.7, 0.5, 1..=10);
    Session { turns_left: turns, ..session(id, "support-answer", start, shape, dice) }
}

fn rag(company: &Company, id: String, dice: &mut Dice) -> Session {
    let model = match dice.below(10) {
        0..5 => (Api::Anthropic, "claude-sonnet-5-5"),
        5..7 => (Api::Anthropic, "claude-haiku-4-5"),
        _ => (Api::OpenAi, "gpt-4o"),
    };
    let shape = Shape {
        stream: dice.chance(0.5),
        max_tokens: 600,
        think_s: 60.0,
        ..shape(model.0, model.1, "sk-sim-search", &company.rag)
    };
    let start = office_hours(dice);
    let turns = if dice.chance(0.12) { 2 } else { 1 };
    let mut own = Session { turns_left: turns, ..session(id, "search-answer", start, shape, dice) };
    let count = dice.between(4, 9);
    // Some passages are asked for more often than others: squares of even draws.
    let passage = |dice: &mut Dice| {
        let place = whole(dice.unit() * dice.unit() * float(company.passages.len() as u64));
        company.passages[usize::try_from(place).unwrap_or_default()].clone()
    };
    let passages: Vec<String> = (0..count).map(|_| passage(dice)).collect();
    let content = format!("{}\n\nThe question follows.", passages.join("\n\n"));
    own.messages.push(json!({"role": "user", "content": content}));
    own
}

fn agent(company: &Company, id: &str, dice: &mut Dice) -> Vec<Session> {
    let model = match dice.below(10) {
        0..4 => (Api::Anthropic, "claude-opus-5-5"),
        4..8 => (Api::Anthropic, "claude-sonnet-5-5"),
        _ => (Api::OpenAi, "gpt-5.6-sol"),
    };
    let marks = if dice.chance(0.25) { OwnMarks::SystemAndTail } else { OwnMarks::None };
    let thinking = (model.0 == Api::Anthropic && dice.chance(0.4)).then_some(4096);
    let shape = Shape {
        tools: company.tools(model.0),
        stream: true,
        max_tokens: 8192,
        thinking,
        marks,
        think_s: 150.0,
        ..shape(model.0, model.1, "sk-sim-agent", &company.agent)
    };
    let start = office_hours(dice);
    let turns = dice.size(8.0, 0.6, 1..=40);
    let steps = dice.between(3, 14);
    let main = Session {
        turns_left: turns,
        steps_left: steps,
        ..session(id.to_owned(), "code-agent", start, shape.clone(), dice)
    };
    let helpers = if dice.chance(0.35) { dice.between(1, 3) } else { 0 };
    let began = start + milliseconds(40.0 + 200.0 * dice.unit());
    let mut all = vec![main];
    for _ in 0..helpers {
        let shape = Shape { system: company.sub_agent.clone(), thinking: None, ..shape.clone() };
        let steps = dice.between(3, 10);
        all.push(Session {
            turns_left: 1,
            steps_left: steps,
            ..session(id.to_owned(), "code-subagent", began, shape, dice)
        });
    }
    all
}

fn batch(company: &Company, id: String, number: u64, dice: &mut Dice) -> Session {
    let api = if number.is_multiple_of(2) { Api::Anthropic } else { Api::OpenAi };
    let model = match api {
        Api::Anthropic => "claude-haiku-4-5",
        Api::OpenAi => "gpt-6-luna",
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "number": {"type": "string"}, "total": {"type": "number"}, "lines": {"type": "integer"},
        },
        "required": ["number", "total", "lines"],
        "additionalProperties": false,
    });
    let format = match api {
        Api::OpenAi => json!({"type": "json_schema",
            "json_schema": {"name": "invoice", "strict": true, "schema": schema}}),
        Api::Anthropic => json!({"format": {"type": "json_schema", "schema": schema}}),
    };
    let shape = Shape {
        format: Some(format),
        max_tokens: 400,
        said_tokens: 350.0,
        ..shape(api, model, "sk-sim-batch", &company.batch)
    };
    // Twelve bursts, each within a few minutes: at the top of the hours from seven on.
    let burst = Duration::from_hours(7 + number % 12);
    let start = burst + milliseconds(dice.exponential(90.0).min(1800.0));
    session(id, "extract-invoice", start, shape, dice)
}
