//! Tools as OpenAI's models see them: not the JSON of the request but a namespace of functions.
//!
//! The form is not documented. It is what models print when asked, and what other calculators use
//! (LiteLLM's `token_counter`); counts with it are an estimate.

use serde_json::{Map, Value};

/// The definitions of tools, rendered.
pub(crate) fn namespace(tools: &[Value]) -> String {
    let mut text = "namespace functions {\n\n".to_owned();
    for tool in tools {
        let function = tool.get("function").unwrap_or(tool);
        let word = |name: &str| function.get(name).and_then(Value::as_str).unwrap_or_default();
        comment(&mut text, function, "");
        let schema = function.get("parameters").or_else(|| function.get("input_schema"));
        match schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object) {
            Some(fields) if !fields.is_empty() => {
                text.extend(["type ", word("name"), " = (_: {\n"]);
                members(&mut text, fields, &required(schema), "");
                text.push_str("}) => any;\n\n");
            }
            _ => text.extend(["type ", word("name"), " = () => any;\n\n"]),
        }
    }
    text.push_str("} // namespace functions");
    text
}

fn comment(text: &mut String, of: &Value, indent: &str) {
    if let Some(words) = of.get("description").and_then(Value::as_str) {
        for line in words.lines() {
            text.extend([indent, "// ", line, "\n"]);
        }
    }
}

fn required(schema: Option<&Value>) -> Vec<&str> {
    let names = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn members(text: &mut String, fields: &Map<String, Value>, required: &[&str], indent: &str) {
    for (name, field) in fields {
        comment(text, field, indent);
        let mark = if required.contains(&name.as_str()) { ": " } else { "?: " };
        text.extend([indent, name, mark]);
        kind(text, field, indent);
        text.push_str(",\n");
    }
}

fn kind(text: &mut String, field: &Value, indent: &str) {
    if let Some(values) = field.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        text.push_str(&values.join(" | "));
        return;
    }
    match field.get("type").and_then(Value::as_str) {
        Some("array") => {
            match field.get("items") {
                Some(items) => kind(text, items, indent),
                None => text.push_str("any"),
            }
            text.push_str("[]");
        }
        Some("object") => match field.get("properties").and_then(Value::as_object) {
            // A schema nests at most as deep as the JSON that it came in.
            Some(fields) => {
                text.push_str("{\n");
                members(text, fields, &required(Some(field)), &format!("{indent}  "));
                text.extend([indent, "}"]);
            }
            None => text.push_str("object"),
        },
        Some("integer") => text.push_str("number"),
        Some(name) => text.push_str(name),
        None => text.push_str("any"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_becomes_a_function() {
        let tools = serde_json::json!([{"type": "function", "function": {
            "name": "get_weather", "description": "Says the weather.",
            "parameters": {"type": "object", "required": ["city"], "properties": {
                "city": {"type": "string", "description": "Where"},
                "unit": {"enum": ["C", "F"]},
                "days": {"type": "array", "items": {"type": "integer"}},
            }},
        }}]);
        expect_test::expect![[r#"
            namespace functions {

            // Says the weather.
            type get_weather = (_: {
            // Where
            city: string,
            days?: number[],
            unit?: "C" | "F",
            }) => any;

            } // namespace functions"#]]
        .assert_eq(&namespace(tools.as_array().unwrap()));
    }
}
