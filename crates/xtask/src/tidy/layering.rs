//! Which crate depends on which: the layer table, cycles, and the homes of outside crates.

use std::collections::BTreeSet;

use super::Violation;
use crate::layers::{HOMES, IMPURE, LAYERS, PURE, SIMULATION, TESTKIT, lists};
use crate::workspace::{Edge, EdgeKind, Package, Workspace};

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let Package { name, manifest, edges } = package;
        let mut report = |rule, advice| violations.push(Violation::new(manifest, 0, rule, advice));
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| layer == name) else {
            report("layer-missing", format!("add `{name}` to the layer table in layers.rs"));
            continue;
        };
        for edge in edges {
            if workspace.package(&edge.to).is_none() {
                check_outside(name, edge, &mut report);
            } else if !lists(allowed, &edge.to) && !is_test_help(workspace, name, edge) {
                report("layer-edge", format!("`{name}` may not use `{}`; see layers.rs", edge.to));
            }
        }
        if let Some(path) = cycle_from(workspace, name) {
            report("layer-cycle", format!("break the cycle {}", path.join(" -> ")));
        }
    }
    violations
}

fn check_outside(name: &str, edge: &Edge, report: &mut impl FnMut(&'static str, String)) {
    let to = &edge.to;
    let home = HOMES.iter().find(|(outside, _)| outside == to);
    if let Some((_, homes)) = home.filter(|(_, homes)| !lists(homes, name) && name != SIMULATION) {
        report("outside-home", format!("`{to}` is at home in {homes}, not in `{name}`"));
    }
    if edge.kind == EdgeKind::Shipped && lists(PURE, name) && lists(IMPURE, to) {
        report("pure", format!("`{name}` decides or translates; `{to}` belongs in its callers"));
    }
}

/// A crate below testkit would meet itself twice in its own tests.
fn is_test_help(workspace: &Workspace, name: &str, edge: &Edge) -> bool {
    let below_testkit = || reaches(workspace, TESTKIT, name).is_some();
    edge.kind == EdgeKind::Dev && edge.to == TESTKIT && !below_testkit()
}

/// A cycle is told once: by the first of its members in the alphabet.
fn cycle_from<'a>(workspace: &'a Workspace, name: &'a str) -> Option<Vec<&'a str>> {
    reaches(workspace, name, name).filter(|path| path.iter().min() == Some(&name))
}

/// A path of shipped edges between two members, at least one edge long.
fn reaches<'a>(workspace: &'a Workspace, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![from]];
    while let Some(path) = open.pop() {
        let edges = workspace.package(path[path.len() - 1]).map_or(&[][..], |last| &last.edges);
        for edge in edges.iter().filter(|edge| edge.kind == EdgeKind::Shipped) {
            let longer = || path.iter().copied().chain([edge.to.as_str()]).collect();
            if edge.to == to {
                return Some(longer());
            }
            if seen.insert(&edge.to) {
                open.push(longer());
            }
        }
    }
    None
}
