//! Answers as text: tables for people, JSON and CSV for programs, all from the descriptor.
//!
//! Owns what is stable for scripts: keys are the field names, times RFC 3339 in UTC, sizes bytes,
//! 64-bit numbers numbers, absent values null. An answer with `rows` is a list; one with a `row` is
//! that row with what belongs to it.

use std::collections::BTreeSet;

use clap::ValueEnum;
use model::Timestamp;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use serde_json::{Map, Value as Json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}

/// Whether a text stands alone or continues another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    First,
    More,
}

pub(crate) fn render(message: &DynamicMessage, format: Format, part: Part) -> String {
    let Some(rows) = list(message, "rows") else { return render_one(message, format) };
    let columns = &rows.columns;
    match (format, part) {
        (Format::Json, Part::Whole) => {
            pretty(&Json::Array(rows.objects.into_iter().map(Json::Object).collect()))
        }
        (Format::Json, Part::First | Part::More) => {
            rows.objects.into_iter().map(|row| format!("{}\n", Json::Object(row))).collect()
        }
        (Format::Csv, part) => {
            let header = (part != Part::More).then(|| csv_line(columns.iter().cloned()));
            let lines = rows.objects.iter().map(|row| csv_line(cells(columns, row)));
            header.into_iter().chain(lines).collect()
        }
        (Format::Table, part) => table(&rows, part),
    }
}

fn render_one(message: &DynamicMessage, format: Format) -> String {
    let flat = flatten(object(message));
    let is_list = |value: &Json| value.as_array().is_some_and(|a| a.iter().any(Json::is_object));
    let simple: Vec<_> = flat.iter().filter(|(_, value)| !is_list(value)).collect();
    match format {
        Format::Json => pretty(&Json::Object(flat)),
        Format::Csv => {
            let names = simple.iter().map(|(name, _)| (*name).clone());
            csv_line(names) + &csv_line(simple.iter().map(|(_, value)| cell(value)))
        }
        Format::Table => {
            let (nested, plain): (Vec<_>, Vec<_>) =
                simple.into_iter().partition(|(_, value)| value.is_object());
            let mut text = lines(plain);
            for (name, value) in nested {
                let fields = value.as_object().into_iter().flatten();
                text += &format!("\n{name}\n{}", lines(fields.collect()));
            }
            for (name, _) in flat.iter().filter(|(_, value)| is_list(value)) {
                if let Some(rows) = list(message, name) {
                    text += &format!("\n{name}\n{}", table(&rows, Part::Whole));
                }
            }
            text
        }
    }
}

/// A field on each line.
fn lines(fields: Vec<(&String, &Json)>) -> String {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line =
        |(name, value): (&String, &Json)| format!("{name:width$}  {}\n", or_dash(cell(value)));
    fields.into_iter().map(line).collect()
}

struct Rows {
    columns: Vec<String>,
    objects: Vec<Map<String, Json>>,
}

/// The rows of a repeated field of messages.
fn list(message: &DynamicMessage, field: &str) -> Option<Rows> {
    let field = message.descriptor().get_field_by_name(field)?;
    let (true, Kind::Message(row)) = (field.is_list(), field.kind()) else { return None };
    let columns = row.fields().map(|field| field.name().to_owned()).collect();
    let value = message.get_field(&field);
    let objects = value.as_list()?.iter().filter_map(Value::as_message).map(object).collect();
    Some(Rows { columns, objects })
}

fn object(message: &DynamicMessage) -> Map<String, Json> {
    let value = |field: FieldDescriptor| {
        let absent = field.supports_presence() && !message.has_field(&field);
        let value = if absent { Json::Null } else { json(&message.get_field(&field)) };
        (field.name().to_owned(), value)
    };
    message.descriptor().fields().map(value).collect()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I32(value) | Value::EnumNumber(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::F32(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::String(value) => value.clone().into(),
        Value::Bytes(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::Message(message) => moment(message).unwrap_or_else(|| object(message).into()),
        Value::List(values) => values.iter().map(json).collect(),
        // No message of the administration service has a map: their order would not be stable.
        Value::Map(_) => Json::Null,
    }
}

fn moment(message: &DynamicMessage) -> Option<Json> {
    if message.descriptor().full_name() != "google.protobuf.Timestamp" {
        return None;
    }
    let seconds = message.get_field_by_name("seconds")?.as_i64()?;
    let nanos = message.get_field_by_name("nanos")?.as_i32()?;
    let at = Timestamp(seconds.saturating_mul(1000)).plus_ms(i64::from(nanos) / 1_000_000);
    Some(at.to_string().into())
}

/// Puts the fields of `row` in the place of `row`. What is counted there and listed beside it has
/// the name of its list, and the count that of a count.
fn flatten(object: Map<String, Json>) -> Map<String, Json> {
    let listed: BTreeSet<String> =
        object.iter().filter(|(_, value)| value.is_array()).map(|(name, _)| name.clone()).collect();
    let called = |(name, value): (String, Json)| match listed.contains(&name) {
        true => (format!("{name}_count"), value),
        false => (name, value),
    };
    let spread = |(name, value): (String, Json)| match value {
        Json::Object(row) if name == "row" => row.into_iter().map(called).collect::<Vec<_>>(),
        value => vec![(name, value)],
    };
    object.into_iter().flat_map(spread).collect()
}

pub(crate) fn pretty(value: &Json) -> String {
    format!("{value:#}\n")
}

fn cells<'a>(
    columns: &'a [String],
    row: &'a Map<String, Json>,
) -> impl Iterator<Item = String> + 'a {
    columns.iter().map(|column| cell(&row[column]))
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

pub(crate) fn csv_line(cells: impl Iterator<Item = String>) -> String {
    let quote = |text: String| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    };
    cells.map(quote).collect::<Vec<_>>().join(",") + "\n"
}

fn table(rows: &Rows, part: Part) -> String {
    let names = || rows.columns.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
    let header: Option<Vec<String>> = (part != Part::More).then(names);
    let rows_of_text = rows.objects.iter().map(|row| cells(&rows.columns, row).map(or_dash));
    let lines: Vec<_> = header.into_iter().chain(rows_of_text.map(Iterator::collect)).collect();
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.columns.len()).map(width).collect();
    let line = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

/// An empty cell would make columns hard to count. Control characters are not a cell's to send.
fn or_dash(text: String) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
