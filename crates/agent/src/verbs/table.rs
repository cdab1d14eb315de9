//! Answers as text for people: a field on each line, and lists as tables.
//!
//! Refuses to know which answers there are: an answer looks as it is built.

use serde_json::{Map, Value};

pub(super) fn render(answer: &Value) -> String {
    match answer {
        Value::Object(object) => fields(object),
        Value::Array(rows) => rows_of(rows),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            format!("{}\n", cell(answer))
        }
    }
}

/// What is one value first, then what is more than that, each under its name.
fn fields(object: &Map<String, Value>) -> String {
    if let (1, Some(done)) = (object.len(), object.get("done")) {
        return format!("{}\n", cell(done));
    }
    let is_more = |value: &Value| match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(Value::is_object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    let (more, plain): (Vec<_>, Vec<_>) = object.iter().partition(|(_, value)| is_more(value));
    let width = plain.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in plain {
        text += &format!("{name:width$}  {}\n", cell(value));
    }
    for (name, value) in more {
        text += &format!("\n{name}\n{}", render(value));
    }
    text
}

/// Rows of one kind, with the names of the first as columns.
fn rows_of(rows: &[Value]) -> String {
    let objects: Vec<_> = rows.iter().filter_map(Value::as_object).collect();
    let Some(first) = objects.first() else {
        return "none\n".to_owned();
    };
    let names: Vec<&String> = first.keys().collect();
    let header = names.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
    let row = |object: &&Map<String, Value>| -> Vec<String> {
        names.iter().map(|name| object.get(*name).map_or_else(String::new, cell)).collect()
    };
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(objects.iter().map(row)).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

/// An empty cell would make columns hard to count. Text comes from servers, too: what would move
/// the cursor is not theirs to send.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    if text.is_empty() { "-".to_owned() } else { text }
}
