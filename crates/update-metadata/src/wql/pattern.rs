//! What LIKE compares with: `%` any run, `_` any character, `[a-f]` and `[abc]` one of them,
//! `[^abc]` none of them.

use std::str::FromStr;

use model::Invalid;

#[derive(Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Run,
    One,
    Exactly(char),
    Of { ranges: Vec<(char, char)>, is_negated: bool },
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Pattern, Invalid> {
        let mut characters = text.chars().flat_map(char::to_lowercase);
        let mut pieces = Vec::new();
        while let Some(next) = characters.next() {
            pieces.push(match next {
                '%' => Piece::Run,
                '_' => Piece::One,
                '[' => set(&mut characters)?,
                exactly => Piece::Exactly(exactly),
            });
        }
        Ok(Pattern(pieces))
    }
}

fn set(characters: &mut impl Iterator<Item = char>) -> Result<Piece, Invalid> {
    let mut members = Vec::new();
    loop {
        match characters.next() {
            Some(']') if !members.is_empty() => break,
            Some(member) => members.push(member),
            None => return Err(Invalid::new("query", "has a [ without a ]".to_owned())),
        }
    }
    let (is_negated, members) = match members.split_first() {
        Some(('^', rest)) if !rest.is_empty() => (true, rest),
        _ => (false, &*members),
    };
    let (mut ranges, mut rest) = (Vec::new(), members);
    while let [first, ..] = rest {
        let (last, taken) = if let [_, '-', last, ..] = rest { (last, 3) } else { (first, 1) };
        ranges.push((*first, *last));
        rest = &rest[taken..];
    }
    Ok(Piece::Of { ranges, is_negated })
}

impl Piece {
    fn takes(&self, c: char) -> bool {
        match self {
            Piece::Run | Piece::One => true,
            Piece::Exactly(exactly) => *exactly == c,
            Piece::Of { ranges, is_negated } => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&c)) != *is_negated
            }
        }
    }
}

impl Pattern {
    /// Goes back to the last run only, so that no pattern costs more than its length times the
    /// text's.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        let (mut piece, mut at) = (0, 0);
        let mut last_run = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(Piece::Run) => {
                    last_run = Some((piece, at));
                    piece += 1;
                    continue;
                }
                Some(next) if next.takes(text[at]) => {
                    (piece, at) = (piece + 1, at + 1);
                    continue;
                }
                _ => {}
            }
            let Some((run, from)) = last_run else { return false };
            last_run = Some((run, from + 1));
            (piece, at) = (run + 1, from + 1);
        }
        self.0[piece..].iter().all(|rest| matches!(rest, Piece::Run))
    }
}
