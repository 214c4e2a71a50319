//! The schema of the file (JSON Schema, draft 2020-12), derived from the very types that the parser
//! reads into: a key that one knows and the other does not cannot be written.
//!
//! Editors check and complete a TOML file by it.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use super::file::File;
use super::scoped::{RuleTable, Scoped};
use super::values::{Length, Portion, Size};

/// The schema of the whole file.
pub fn schema() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    RecursiveTransform(plain).transform(&mut schema);
    schema.insert("title".to_owned(), "Scrimp's configuration".into());
    schema.into()
}

/// TOML has no null, and what may be absent need not say so by a type; comments are one line.
fn plain(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option["type"] != "null");
        if let [Value::Object(_)] = &options[..] {
            let Some(Value::Array(options)) = object.remove("anyOf") else { return };
            adopt(object, options);
        }
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    object.retain(|name, value| !(name == "default" && value.is_null()));
    // The widths of Rust's integers are not what is meant by a number.
    object.remove("format");
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

/// Takes over what the only option says; what the key says of itself stays.
fn adopt(object: &mut Map<String, Value>, options: Vec<Value>) {
    for option in options {
        let Value::Object(option) = option else { continue };
        for (name, value) in option {
            object.entry(name).or_insert(value);
        }
    }
}

impl<R: RuleTable + JsonSchema> JsonSchema for Scoped<R> {
    fn schema_name() -> Cow<'static, str> {
        format!("Scoped{}", R::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = R::json_schema(generator);
        let rule = schema.clone();
        schema.insert(
            "patternProperties".to_owned(),
            serde_json::json!({ "^(op:|model:|key:|team:|tag:[^=]*=)": rule }),
        );
        schema
    }
}

/// [`scrimp_core::State`], which knows nothing of schemas.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is wanted")]
pub(super) enum StateWord {
    /// It is not asked.
    Off,
    /// It decides and its decision is recorded, but changes nothing.
    Observe,
    /// It acts.
    On,
}

/// [`scrimp_core::policy::prompt_cache::ClientMarks`], likewise.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is wanted")]
pub(super) enum ClientMarksWord {
    /// Calls with marks of their own are left alone.
    Keep,
    /// They stay, and `strategy = "auto"` uses the places that they leave.
    Fill,
    /// They are taken out, and the rule's are set.
    Replace,
}

impl JsonSchema for Length {
    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^0*[1-9][0-9_]* *(ms|s|m|h|d)$",
            "examples": ["500ms", "30s", "5m", "1h", "14d"],
            "x-type": "length of time",
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9][0-9_]* *(KiB|MiB|GiB|kB|KB|MB|GB|B)$" },
            ],
            "examples": [65536, "64KiB", "50MB"],
            "x-type": "size",
        })
    }
}

impl JsonSchema for Portion {
    fn schema_name() -> Cow<'static, str> {
        "Portion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "number", "minimum": 0, "maximum": 1 },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *%$" },
            ],
            "examples": [0.2, "20%"],
            "x-type": "share",
        })
    }
}

#[cfg(test)]
mod tests;
