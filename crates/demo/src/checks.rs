//! What must hold at the end. Each check is a pure judgment of the survey: nothing, or what was
//! found instead.

use rpc::pb::admin as pb;

use crate::plan::{SECONDARY, SITES, TOP};
use crate::report::{self, Check};
use crate::survey::{SiteSurvey, Survey};

type Verdict = Result<(), String>;

pub(crate) fn check_all(survey: &Survey) -> Vec<Check> {
    let check = |name: &str, verdict: Verdict| Check {
        name: name.to_owned(),
        ok: verdict.is_ok(),
        reason: verdict.err().unwrap_or_default(),
    };
    let mut checks = vec![
        check("streams equal at every subscriber", streams(survey)),
        check("update counts equal at upstream and every site", update_counts(survey)),
        check("documents at the end of the chain byte-equal to upstream's", documents(survey)),
        check("status messages in documented order at each site", status_messages(survey)),
        check("package at version 2 and verified on every distribution point", package(survey)),
        check("every file fetched matches its policy's digest", files(survey)),
        check("the agent's file exists with its hash, installed exactly once", installed(survey)),
        check("state serials without gap or double", serials(survey)),
        check("compliance at CAS equals what the clients say of themselves", compliance(survey)),
        check("all links active, lag 0", links(survey)),
    ];
    let fleet = survey.fleet.as_ref();
    let name = "compliance at CAS equals what clients in virtual time say of themselves";
    checks.extend(fleet.map(|fleet| check(name, equal_at_top(fleet))));
    checks
}

/// What is still on its way somewhere, if anything is.
pub(crate) fn unrest(survey: &Survey) -> Option<String> {
    let fleet = survey.fleet.as_ref().map_or(Ok(()), equal_at_top);
    [serials(survey), fleet, streams(survey), links(survey)].into_iter().find_map(Result::err)
}

/// The first that does not hold. Nothing to judge does not hold either.
fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let mut verdicts = verdicts.into_iter().peekable();
    if verdicts.peek().is_none() {
        return Err("there is nothing to check".to_owned());
    }
    verdicts.collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}

/// Whatever one site offers another, the other has at the same position with the same digest.
fn streams(survey: &Survey) -> Verdict {
    let place = |stream: &pb::VerifiedStream| (stream.epoch, stream.seq, stream.digest.clone());
    let sound = |site: &SiteSurvey| -> Verdict {
        let row = |row: &pb::VerifiedStream| {
            equal(&format!("{} at {}", row.stream, site.code), row.result.as_str(), "ok")
        };
        site.streams.iter().try_for_each(row)
    };
    let offered = |site: &SiteSurvey| -> Verdict {
        site.offers.iter().try_for_each(|(stream, neighbor)| {
            let at = |code: &str| {
                let found = survey.sites.iter().find(|site| site.code == code);
                let streams = found.into_iter().flat_map(|site| &site.streams);
                streams.filter(|row| row.stream == *stream).map(place).next()
            };
            equal(&format!("{stream} at {neighbor}"), at(neighbor), at(site.code))
        })
    };
    if survey.sites.iter().all(|site| site.offers.is_empty()) {
        return Err("no site offers anything".to_owned());
    }
    all(survey.sites.iter().flat_map(|site| [sound(site), offered(site)]))
}

fn update_counts(survey: &Survey) -> Verdict {
    let expected = match (&survey.upstream, survey.sites.first()) {
        (Some(upstream), _) => upstream.updates,
        (None, site) => site.map_or(0, |site| site.updates),
    };
    if expected == 0 {
        return Err("there are no updates".to_owned());
    }
    let sites = survey.sites.iter().map(|site| equal(site.code, site.updates, expected));
    let sups = survey
        .sups
        .iter()
        .map(|(site, sup)| equal(&format!("the update point of {site}"), sup.updates, expected));
    all(sites.chain(sups))
}

fn documents(survey: &Survey) -> Verdict {
    let first = survey.upstream.as_ref().or_else(|| survey.sups.get(TOP));
    let (Some(first), Some(last)) = (first, survey.sups.get(SECONDARY)) else {
        return Err("there is nothing to compare".to_owned());
    };
    equal("documents", last.documents.len(), first.documents.len())?;
    let differs =
        first.documents.iter().find(|(id, digest)| last.documents.get(id) != Some(digest));
    differs.map_or(Ok(()), |(id, _)| Err(format!("{id:?} differs")))
}

fn status_messages(survey: &Survey) -> Verdict {
    all(survey.sites.iter().map(|site| {
        let expected: &[u32] =
            if site.code == TOP { &[6701, 6704, 6705, 6702] } else { &[6701, 6704, 6702] };
        if site.synchronizations.is_empty() {
            return Err(format!("{} has not synchronized", site.code));
        }
        let ids = site.synchronizations.iter().map(|run| run.status_ids.as_slice());
        all(ids.map(|ids| equal(site.code, ids, expected)))
    }))
}

fn package(survey: &Survey) -> Verdict {
    let points = SITES.iter().flat_map(|site| site.roles);
    let points = points.filter(|kind| **kind == model::RoleKind::DistributionPoint).count();
    equal("distribution points", survey.content.len(), points)?;
    all(survey.content.iter().map(|row| equal(&row.dp, (row.version, row.verified), (2, true))))
}

/// Hashed again when installers were given them.
fn files(survey: &Survey) -> Verdict {
    all(survey.clients.iter().map(|client| {
        if let Some(refusal) = client.own.refusals.first() {
            return Err(format!("{} refused {}: {}", client.top.name, refusal.url, refusal.reason));
        }
        if client.given.is_empty() {
            return Err(format!("{} fetched nothing", client.top.name));
        }
        all(client.given.iter().map(|file| equal(&file.name, file.found, file.policy)))
    }))
}

fn installed(survey: &Survey) -> Verdict {
    let real = &survey.real;
    equal("the file with its hash is there", real.has_file, true)?;
    equal("installations by the installer's count", real.runs, 1)?;
    equal("installations by the agent's count", real.starts, 1)
}

/// The site applied the very last state message of each client, and misses none before it.
fn serials(survey: &Survey) -> Verdict {
    all(survey.clients.iter().map(|client| {
        let (name, own) = (&client.top.name, &client.own);
        equal(&format!("reports of {name} on their way"), own.unsent, 0)?;
        equal(&format!("the last serial of {name}"), client.top.serial, own.serial)?;
        equal(&format!("why {name} is unknown"), client.top.reason.as_str(), "")
    }))
}

fn compliance(survey: &Survey) -> Verdict {
    let updates = survey.sites.first().map_or(0, |site| site.updates);
    all(survey.clients.iter().map(|client| {
        let (own, top) = (&client.own, &client.top);
        let said = [own.required, own.installed, own.not_required, own.unknown];
        let known = [top.required, top.installed, top.not_required, top.unknown];
        equal(&top.name, known, said)?;
        let counted = updates.saturating_sub(survey.expired);
        equal(&format!("updates of {}", top.name), said.into_iter().sum(), counted)
    }))?;
    all(survey.deployments.iter().map(|row| {
        let fleet = survey.fleet.as_ref().map_or(0, |fleet| fleet.clients);
        let clients = survey.clients.len() as u64 + fleet;
        equal(&row.name, (row.targeted, row.compliant), (clients, clients))
    }))
}

fn equal_at_top(fleet: &report::Fleet) -> Verdict {
    fleet.differing.first().map_or(Ok(()), |first| Err(first.clone()))
}

fn links(survey: &Survey) -> Verdict {
    all(survey.sites.iter().map(|site| {
        if site.links.is_empty() {
            return Err(format!("{} has no link", site.code));
        }
        all(site.links.iter().map(|link| {
            let what = format!("{} to {}", site.code, link.neighbor);
            equal(&what, (link.state.as_str(), link.lag_changes), ("active", 0))
        }))
    }))
}

#[cfg(test)]
mod tests;
