//! Which of many spans of addresses cover one: a search tree in two arrays.

use std::net::IpAddr;
use std::ops::Range;

/// Addresses of one family, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    /// Whose span it is.
    pub(super) boundary: usize,
}

/// Spans in the order of their first address. The middle one of a stretch is its root, and beside
/// it stands the furthest last address of the stretch.
#[derive(Debug, Default)]
pub(super) struct SpanIndex {
    spans: Vec<Span>,
    furthest: Vec<IpAddr>,
}

impl SpanIndex {
    pub(super) fn new(mut spans: Vec<Span>) -> SpanIndex {
        spans.sort_unstable();
        let mut furthest = spans.iter().map(|span| span.last).collect();
        settle(&mut furthest, 0..spans.len());
        SpanIndex { spans, furthest }
    }

    /// The spans that cover an address.
    pub(super) fn covering(&self, address: IpAddr) -> Vec<Span> {
        let mut found = Vec::new();
        self.visit(0..self.spans.len(), address, &mut found);
        found
    }

    fn visit(&self, stretch: Range<usize>, address: IpAddr, found: &mut Vec<Span>) {
        if stretch.is_empty() {
            return;
        }
        let middle = usize::midpoint(stretch.start, stretch.end);
        if self.furthest[middle] < address {
            return;
        }
        self.visit(stretch.start..middle, address, found);
        let span = self.spans[middle];
        if span.first <= address {
            if address <= span.last {
                found.push(span);
            }
            self.visit(middle + 1..stretch.end, address, found);
        }
    }
}

/// Lets the root of each stretch know the furthest of all of it.
fn settle(furthest: &mut Vec<IpAddr>, stretch: Range<usize>) -> Option<IpAddr> {
    if stretch.is_empty() {
        return None;
    }
    let middle = usize::midpoint(stretch.start, stretch.end);
    let left = settle(furthest, stretch.start..middle);
    let right = settle(furthest, middle + 1..stretch.end);
    let all = [left, right].into_iter().flatten().fold(furthest[middle], IpAddr::max);
    furthest[middle] = all;
    Some(all)
}
