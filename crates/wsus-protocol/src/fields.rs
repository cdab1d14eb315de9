//! Single values in a message: text, numbers, GUIDs, base64, lists.
//!
//! An element with `xsi:nil` counts as absent, `soapenc:arrayType` and its like are ignored.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use xml_guard::{Element, XmlWriter};

use crate::Error;

const INSTANCE_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// How much of a refused value an error repeats.
const ECHO_CHARS: usize = 80;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn field<'a>(parent: &'a Element, name: &str) -> Option<&'a Element> {
    parent.child(name).filter(|found| !is_nil(found))
}

pub(crate) fn is_nil(element: &Element) -> bool {
    matches!(element.tag.attribute_ns(INSTANCE_NAMESPACE, "nil"), Some("true" | "1"))
}

pub(crate) fn required<'a>(parent: &'a Element, name: &'static str) -> Result<&'a Element, Error> {
    field(parent, name).ok_or(Error::FindElement { element: name })
}

/// The items of an array, none if it is absent.
pub(crate) fn items<'a>(
    parent: &'a Element,
    array: &str,
    item: &'a str,
) -> impl Iterator<Item = &'a Element> {
    field(parent, array).into_iter().flat_map(move |array| array.children_named(item))
}

pub(crate) fn text(parent: &Element, name: &str) -> Option<String> {
    field(parent, name).map(|found| found.text.clone())
}

pub(crate) fn text_or_empty(parent: &Element, name: &str) -> String {
    text(parent, name).unwrap_or_default()
}

pub(crate) fn value<T: FromStr>(element: &Element, expected: &'static str) -> Result<T, Error> {
    element.text.trim().parse().map_err(|_| refused(element, expected))
}

/// A number, 0 if absent.
pub(crate) fn number(parent: &Element, name: &str) -> Result<u32, Error> {
    field(parent, name).map_or(Ok(0), |found| value(found, "a number"))
}

/// A boolean, false if absent.
pub(crate) fn boolean(parent: &Element, name: &str) -> Result<bool, Error> {
    field(parent, name).map_or(Ok(false), read_boolean)
}

pub(crate) fn read_boolean(element: &Element) -> Result<bool, Error> {
    match element.text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(refused(element, "true or false")),
    }
}

pub(crate) fn base64(element: &Element) -> Result<Vec<u8>, Error> {
    let packed: Vec<u8> = element.text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(packed).map_err(|_| refused(element, "base64"))
}

pub(crate) fn base64_or_empty(parent: &Element, name: &str) -> Result<Vec<u8>, Error> {
    field(parent, name).map_or_else(|| Ok(Vec::new()), base64)
}

pub(crate) fn sha1(element: &Element) -> Result<[u8; 20], Error> {
    base64(element)?.try_into().map_err(|_| refused(element, "a SHA-1 digest in base64"))
}

pub(crate) fn refused(element: &Element, expected: &'static str) -> Error {
    let value = element.text.chars().take(ECHO_CHARS).collect();
    Error::ReadElement { element: element.tag.local.clone(), value, expected }
}

pub(crate) fn write(xml: &mut XmlWriter, name: &str, value: impl Display) {
    xml.leaf(name, &value.to_string());
}

pub(crate) fn write_base64(xml: &mut XmlWriter, name: &str, bytes: &[u8]) {
    xml.leaf(name, &encode_base64(bytes));
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Nothing for an empty text.
pub(crate) fn write_text(xml: &mut XmlWriter, name: &str, text: &str) {
    if !text.is_empty() {
        xml.leaf(name, text);
    }
}
