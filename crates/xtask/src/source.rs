//! Rust source taken apart into code and string literals, so that a rule about code does not fire
//! on a comment. A scanner, not a parser; text cut short just ends the last token.

/// A file's code with comments and literals blanked, and its string literals.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

#[derive(Debug)]
pub(crate) struct Literal {
    /// The line of the opening quote, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn scan(text: &str) -> Source {
        let mut source = Source { code: String::with_capacity(text.len()), literals: Vec::new() };
        let (mut at, mut line) = (0, 1);
        while let Some(next) = text[at..].chars().next() {
            let after_word = source.code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let blank = blank_length(&text[at..], after_word);
            let token = &text[at..at + blank.unwrap_or(next.len_utf8())];
            let blanked = |c| if c == '\n' || blank.is_none() { c } else { ' ' };
            source.code.extend(token.chars().map(blanked));
            if blank.is_some() && !token.starts_with(['/', '\'']) {
                let inner = token.trim_start_matches(['b', 'c', 'r', '#']).trim_end_matches('#');
                source.literals.push(Literal { line, text: inner.trim_matches('"').to_owned() });
            }
            line += token.matches('\n').count();
            at += token.len();
        }
        source
    }
}

/// The length in bytes of the comment or literal that begins here, if one does.
fn blank_length(rest: &str, after_word: bool) -> Option<usize> {
    let through = |end: &str, from: usize| {
        rest[from..].find(end).map_or(rest.len(), |found| from + found + end.len())
    };
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    match rest.as_bytes() {
        [b'/', b'*', ..] => return Some(through("*/", 2)),
        [b'"', ..] => return Some(quoted_length(rest, '"')),
        [b'\'', b'\\', ..] => return Some(quoted_length(rest, '\'')),
        [b'\'', ..] => {
            // A character, unless the second quote is missing: then a lifetime.
            let (at, quote) = rest.char_indices().nth(2)?;
            return (quote == '\'').then_some(at + 1);
        }
        _ if after_word => return None,
        _ => {}
    }
    let raw = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let quoted = raw.trim_start_matches('#');
    let inner = quoted.strip_prefix('"')?;
    Some(through(&format!("\"{}", "#".repeat(raw.len() - quoted.len())), rest.len() - inner.len()))
}

/// The length up to the first unescaped `quote` after the opening one, itself included.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

#[cfg(test)]
mod tests;
