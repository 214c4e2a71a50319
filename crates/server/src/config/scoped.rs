//! Tables that hold a rule for every call and, below it, rules by scope.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use scrimp_core::policy::Scope;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use toml::Spanned;

use super::problem::{ConfigError, Source, nearest};

/// A rule as it is written.
pub(super) trait RuleTable: Clone + Default {
    /// The policy's rule that it becomes.
    type Rule;
    /// The name of its section.
    const SECTION: &'static str;
    /// Its fields.
    const FIELDS: &'static [&'static str];

    /// Reads the value of a field. `false`: there is no such field, and nothing was read.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error>;

    /// What it says, and where it says nothing what `base` says.
    fn over(&self, base: &Self) -> Self;

    /// Whether it is a rule even if it stands for every call.
    fn is_said(&self) -> bool;

    /// The rule for the calls of a scope.
    fn resolved(&self, scope: Scope) -> Self::Rule;
}

/// A section: a rule for every call, and rules by scope.
#[derive(Debug)]
pub(super) struct Scoped<R> {
    pub(super) base: R,
    pub(super) by_scope: Vec<(Spanned<String>, R)>,
    /// What is neither: told with its place, which an error from here would not have.
    pub(super) unknown: Option<Spanned<String>>,
}

impl<R: Default> Default for Scoped<R> {
    fn default() -> Scoped<R> {
        Scoped { base: R::default(), by_scope: Vec::new(), unknown: None }
    }
}

struct Section<R>(PhantomData<R>);

impl<'de, R: RuleTable + Deserialize<'de>> Visitor<'de> for Section<R> {
    type Value = Scoped<R>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a rule of [{}], or rules by scope such as \"op:code-review\"", R::SECTION)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scoped<R>, A::Error> {
        let mut table: Scoped<R> = Scoped::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_ref().contains(':') {
                true => table.by_scope.push((key, map.next_value()?)),
                false if table.base.read(key.as_ref(), &mut map)? => {}
                false => {
                    map.next_value::<IgnoredAny>()?;
                    table.unknown = Some(key);
                }
            }
        }
        Ok(table)
    }
}

impl<'de, R: RuleTable + Deserialize<'de>> Deserialize<'de> for Scoped<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scoped<R>, D::Error> {
        deserializer.deserialize_map(Section(PhantomData))
    }
}

/// Rules by scope; a later one for the same scope replaces an earlier one.
pub(super) struct Rules<R> {
    base: R,
    scoped: BTreeMap<(u8, String), (Scope, R)>,
}

impl<R: RuleTable> Rules<R> {
    pub(super) fn of(source: &Source<'_>, table: &Scoped<R>) -> Result<Rules<R>, ConfigError> {
        let mut rules = Rules { base: R::default(), scoped: BTreeMap::new() };
        rules.add(source, table)?;
        Ok(rules)
    }

    pub(super) fn add(
        &mut self,
        source: &Source<'_>,
        table: &Scoped<R>,
    ) -> Result<(), ConfigError> {
        if let Some(unknown) = &table.unknown {
            let (name, section) = (unknown.as_ref(), R::SECTION);
            let known = R::FIELDS.join(", ");
            let message = format!("unknown field `{name}` in [{section}]; there are {known}");
            let suggestion = nearest(name, R::FIELDS.iter().copied());
            let wrong = source.wrong(Some(unknown.span()), message);
            return Err(ConfigError { suggestion, ..wrong });
        }
        self.base = table.base.over(&self.base);
        for (name, rule) in &table.by_scope {
            let (rank, scope) = scope_of(name.as_ref()).ok_or_else(|| {
                let message = format!(
                    "`{}` is no scope: write \"op:NAME\", \"model:NAME\", \"key:ID\", \
                     \"team:NAME\" or \"tag:KEY=VALUE\"",
                    name.as_ref()
                );
                source.wrong(Some(name.span()), message)
            })?;
            self.scoped.insert((rank, name.as_ref().clone()), (scope, rule.clone()));
        }
        Ok(())
    }

    /// The narrower scope first, and at last the rule for every call.
    pub(super) fn in_order(self) -> Vec<R::Rule> {
        let Rules { base, scoped } = self;
        let scoped = scoped.into_values().map(|(scope, rule)| rule.over(&base).resolved(scope));
        scoped.chain(base.is_said().then(|| base.resolved(Scope::All))).collect()
    }
}

/// A virtual key's calls carry its id and its team as tags that their callers cannot change.
fn scope_of(name: &str) -> Option<(u8, Scope)> {
    match name.split_once(':')? {
        ("tag", pair) => {
            let (key, value) = pair.split_once('=')?;
            Some((2, Scope::Tag(key.into(), value.into())))
        }
        (tag @ "key", value) => Some((0, Scope::Tag(tag.into(), value.into()))),
        (tag @ "team", value) => Some((1, Scope::Tag(tag.into(), value.into()))),
        ("op", name) => Some((3, Scope::Operation(name.into()))),
        ("model", name) => Some((4, Scope::Model(name.into()))),
        _ => None,
    }
}
