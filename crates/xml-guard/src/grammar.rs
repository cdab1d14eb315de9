//! The productions of XML 1.0 (and Namespaces 1.0) that quick-xml does not enforce.

use std::borrow::Cow;

use crate::Refusal;

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
/// How much of a refused name an error repeats.
const ECHO_CHARS: usize = 64;

pub(crate) fn is_space(text: &str) -> bool {
    text.trim_matches(SPACE).is_empty()
}

/// A name without colon. Beyond ASCII only Latin letters pass, since strict parsers disagree
/// about the rest, and no vocabulary of ours uses more.
pub(crate) fn is_name(name: &str) -> bool {
    let letter = |c: char| {
        c.is_ascii_alphabetic()
            || matches!(c, '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{131}')
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(is_plain) {
        return true;
    }
    name.starts_with(letter)
        && name.chars().all(|c| letter(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}'))
}

/// `prefix:local` in two; the prefix is empty when there is none.
pub(crate) fn split_name(name: &str) -> Result<(&str, &str), Refusal> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    if is_name(local) && (is_name(prefix) || !name.contains(':')) {
        Ok((prefix, local))
    } else {
        Err(Refusal::malformed(format!("{:?} is not a name", echo(name))))
    }
}

/// Content with line ends as section 2.11 wants them; refuses what section 2.2 forbids.
pub(crate) fn content(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    // Nearly all content has neither returns nor forbidden characters, two of which begin so.
    if raw.bytes().all(|b| (b >= b' ' && b != 0xEF) || matches!(b, b'\t' | b'\n')) {
        return Ok(Cow::Borrowed(raw));
    }
    if let Some(c) = raw.chars().find(|c| !is_character(*c)) {
        return Err(Refusal::malformed(format!("character U+{:04X} is forbidden", u32::from(c))));
    }
    let has_returns = raw.contains('\r');
    let unify = || Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n"));
    Ok(if has_returns { unify() } else { Cow::Borrowed(raw) })
}

/// The text between markup, which must not hold the end of a CDATA section.
pub(crate) fn text(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    if raw.as_bytes().contains(&b']') && raw.contains("]]>") {
        return Err(Refusal::malformed("\"]]>\" in text"));
    }
    content(raw)
}

/// The content of a tag after its name: `S Name Eq AttValue` repeated, then optional space.
pub(crate) fn attributes(mut rest: &str, max: usize) -> Result<Vec<(&str, &str)>, Refusal> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    loop {
        let next = rest.trim_start_matches(SPACE);
        if next.is_empty() {
            return Ok(found);
        }
        let split = next.split_once('=').filter(|_| next.len() < rest.len());
        let value = split.and_then(|(name, after)| {
            let after = after.trim_start_matches(SPACE);
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, tail) = after[1..].split_once(quote)?;
            Some((name.trim_end_matches(SPACE), value, tail))
        });
        let Some((name, value, tail)) = value else {
            return Err(Refusal::malformed(format!("bad attribute at {:?}", echo(next))));
        };
        if found.iter().any(|(other, _)| *other == name) {
            return Err(Refusal::malformed(format!("attribute {:?} is repeated", echo(name))));
        }
        if found.len() == max {
            return Err(Refusal::Attributes(max));
        }
        found.push((name, value));
        rest = tail;
    }
}

/// An attribute's value, unescaped and normalized (section 3.3.3).
pub(crate) fn attribute_value(raw: &str) -> Result<String, Refusal> {
    if raw.contains('<') {
        return Err(Refusal::malformed("\"<\" in an attribute"));
    }
    let content = content(raw)?;
    if !content.bytes().any(|b| matches!(b, b'&' | b'\t' | b'\n')) {
        return Ok(content.into_owned());
    }
    let normal = content.replace(['\t', '\n'], " ");
    let mut value = String::with_capacity(normal.len());
    let mut rest = normal.as_str();
    while let Some((before, after)) = rest.split_once('&') {
        let (name, tail) =
            after.split_once(';').ok_or_else(|| Refusal::malformed("\"&\" without \";\""))?;
        value.push_str(before);
        value.push(reference(name)?);
        rest = tail;
    }
    value.push_str(rest);
    Ok(value)
}

/// What `&name;` stands for.
pub(crate) fn reference(name: &str) -> Result<char, Refusal> {
    let Some(number) = name.strip_prefix('#') else {
        return match name {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(Refusal::Entity(echo(name))),
        };
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let unsigned = digits.chars().all(|c| c.is_digit(radix));
    let code = u32::from_str_radix(digits, radix).ok().filter(|_| unsigned);
    code.and_then(char::from_u32)
        .filter(|c| is_character(*c))
        .ok_or_else(|| Refusal::malformed(format!("bad character reference {:?}", echo(name))))
}

/// The attributes of an XML declaration; returns the encoding it names.
pub(crate) fn declaration(raw: &str) -> Result<Option<String>, Refusal> {
    let found = attributes(raw, 3)?;
    let mut rest = found.as_slice();
    let mut next = |wanted: &str| match rest.split_first() {
        Some(((name, value), tail)) if *name == wanted => {
            rest = tail;
            Some(*value)
        }
        _ => None,
    };
    let (version, encoding, alone) = (next("version"), next("encoding"), next("standalone"));
    if version != Some("1.0") || !matches!(alone, None | Some("yes" | "no")) || !rest.is_empty() {
        return Err(Refusal::malformed("bad XML declaration (it should say version=\"1.0\")"));
    }
    Ok(encoding.map(str::to_owned))
}

pub(crate) fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn echo(text: &str) -> String {
    text.chars().take(ECHO_CHARS).collect()
}
