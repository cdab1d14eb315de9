//! The order of versions of rpm packages, `epoch:version-release` (rpm-version(7)).

use std::cmp::Ordering;

/// A version without a release stands for all of its releases; no epoch is epoch 0.
#[must_use]
pub fn compare_rpm(a: &str, b: &str) -> Ordering {
    let (epoch_a, version_a, release_a) = parts(a);
    let (epoch_b, version_b, release_b) = parts(b);
    let releases = || match (release_a, release_b) {
        (Some(a), Some(b)) => compare(a, b),
        (None, _) | (_, None) => Ordering::Equal,
    };
    compare_numbers(epoch_a, epoch_b)
        .then_with(|| compare(version_a, version_b))
        .then_with(releases)
}

fn parts(text: &str) -> (&str, &str, Option<&str>) {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let (version, release) =
        rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
    (epoch, version, release)
}

/// Runs of digits and runs of letters in turn, until one of them decides; whatever stands between
/// them only separates. `~` sorts before the end, `^` after the end and before all else.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        (a, b) = (a.trim_start_matches(is_separator), b.trim_start_matches(is_separator));
        match (a.chars().next(), b.chars().next()) {
            (None, None) => return Ordering::Equal,
            (Some('~'), Some('~')) | (Some('^'), Some('^')) => {
                (a, b) = (&a[1..], &b[1..]);
                continue;
            }
            (Some('~'), _) | (None, Some('^')) => return Ordering::Less,
            (_, Some('~')) | (Some('^'), None) => return Ordering::Greater,
            (Some('^'), Some(_)) => return Ordering::Less,
            (Some(_), Some('^')) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(_), Some(_)) => {}
        }
        let order = compare_runs(&mut a, &mut b);
        if order.is_ne() {
            return order;
        }
    }
}

/// A number is newer than letters.
fn compare_runs(a: &mut &str, b: &mut &str) -> Ordering {
    let is_digit = |c: char| c.is_ascii_digit();
    match (a.starts_with(is_digit), b.starts_with(is_digit)) {
        (true, true) => compare_numbers(take(a, is_digit), take(b, is_digit)),
        (false, false) => {
            let is_letter = |c: char| c.is_ascii_alphabetic();
            take(a, is_letter).cmp(take(b, is_letter))
        }
        (number, _) => {
            if number {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
    }
}

/// Without leading zeros the longer number is the larger one, whatever its size.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn take<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head
}

#[cfg(test)]
mod tests;
