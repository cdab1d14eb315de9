//! How the update reaches the client: groups, deployments, collections, settings, windows, policy.

use std::collections::BTreeMap;

use ::deployment::{Reason, Turn, run_minutes, turn, window_list};
use model::{Deployment, Effect, Hold, ObjectCode, Owner, Timestamp, UpdateGroup, UpdateSetting};
use recurrence::{Calendar, Room, Use, Zone};
use rpc::convert::{Part, decode_part};
use rpc::pb::admin as pb;

use super::super::client_settings::Reaching;
use super::super::collection::{Stands, standing};
use super::super::deployment::outcome;
use super::{Answer, Asked, Verdict, elsewhere, step, with_remedy};
use crate::admin::{View, top_of};

/// A step for the groups, then one for each deployment of them.
pub(super) fn deployments(v: &View<'_>, asked: &Asked) -> Answer<Vec<pb::ExplainedStep>> {
    let groups = v.list::<UpdateGroup>()?.into_iter().map(|(_, group)| group);
    let has = |group: &UpdateGroup| group.updates.iter().any(|id| asked.wholes.contains(id));
    let groups: BTreeMap<ObjectCode, String> =
        groups.filter(has).map(|group| (group.code, group.name)).collect();
    if groups.is_empty() {
        let step = step(("group", Verdict::No), "it is in no update group", "groups of all sites");
        return Ok(vec![with_remedy(step, "`tierline group add`, or a rule that takes it")]);
    }
    let names: Vec<String> = groups.iter().map(|(code, name)| format!("{code} ({name})")).collect();
    let mut steps =
        vec![step(("group", Verdict::Yes), format!("in {}", names.join(", ")), "its members")];
    let all: Vec<(Owner, Deployment)> = v.list()?;
    let of = all.into_iter().filter(|(_, deployment)| groups.contains_key(&deployment.group));
    let of: Vec<_> = of.collect();
    if of.is_empty() {
        let step = step(("deployment", Verdict::No), "no group of it is deployed", "deployments");
        steps.push(with_remedy(step, "`tierline deployment create`"));
        return Ok(steps);
    }
    let aimed = of.iter().flat_map(|(_, one)| one.except.iter().chain([&one.collection]));
    let standing = standing(v, &asked.record, aimed.cloned().collect())?;
    for found in &of {
        steps.push(deployment(v, asked, found, &standing)?);
    }
    Ok(steps)
}

fn deployment(
    v: &View<'_>,
    asked: &Asked,
    (owner, deployment): &(Owner, Deployment),
    standing: &BTreeMap<ObjectCode, Stands>,
) -> Answer<pb::ExplainedStep> {
    let (name, code) = (&deployment.name, &deployment.collection);
    let what = format!("\"{name}\" ({}) to {code}", deployment.intent.as_str());
    let said = format!("{}: {}", deployment.id, outcome(v, deployment.id)?);
    let told = |verdict, says: &str| {
        step(("deployment", verdict), format!("{what}: {says}"), said.clone())
    };
    let acts = [asked.owner.code.to_string(), top_of(v)?];
    if !acts.contains(&owner.code.to_string()) {
        return Ok(told(Verdict::No, &format!("acts on clients of {} only", owner.code)));
    }
    if !deployment.enabled {
        let step = told(Verdict::No, "it is disabled");
        return Ok(with_remedy(step, "`tierline deployment enable`"));
    }
    let holds = v.list::<Hold>()?.into_iter().map(|(_, hold)| hold);
    let mut holds = holds.filter(|hold| hold.deployment == deployment.id);
    if let Some(hold) = holds.find(|hold| acts.contains(&hold.site.to_string())) {
        let step = told(Verdict::No, &format!("{} holds it: {}", hold.by, hold.reason));
        return Ok(with_remedy(step, "`tierline deployment release`"));
    }
    for except in &deployment.except {
        match &standing[except] {
            Ok((false, _)) => {}
            Ok((true, _)) => {
                let says = format!("it leaves out {except}, which the client is in");
                return Ok(told(Verdict::No, &says));
            }
            Err(missing) => return Ok(told(Verdict::Waits, &format!("for {missing}"))),
        }
    }
    let (is_in, reasons) = match &standing[code] {
        Ok(found) => found,
        Err(missing) => return Ok(told(Verdict::Waits, &format!("for {missing}"))),
    };
    if !is_in {
        let says = match reasons.iter().find(|reason| is_against(reason)) {
            Some(reason) => format!("the client is not in {code}: {}", worded(reason)),
            None => format!("the client is not in {code}: no rule of it names the client"),
        };
        let remedy = format!("`tierline collection show {code}`");
        return Ok(with_remedy(told(Verdict::No, &says), remedy));
    }
    let reached: Vec<String> = reasons.iter().map(worded).collect();
    let reached = format!("reaches the client by {}", reached.join(", "));
    if deployment.effect == Effect::Report {
        return Ok(told(Verdict::No, &format!("{reached}, but only counts")));
    }
    let now = v.now();
    if deployment.available_at > now {
        return Ok(told(Verdict::Waits, &format!("{reached} from {}", deployment.available_at)));
    }
    let growing = deployment.rollout.as_ref();
    Ok(match growing.map(|rollout| turn(rollout, (asked.record.id, deployment.id), now)) {
        None | Some(Turn::Come) => {
            told(Verdict::Yes, &format!("{reached}{}", due(deployment.deadline, now)))
        }
        Some(Turn::At(at)) => {
            told(Verdict::Waits, &format!("{reached}, whose turn in its growth comes at {at}"))
        }
        Some(Turn::Stopped) => with_remedy(
            told(Verdict::No, &format!("{reached}, but it grows no more while it is paused")),
            "`tierline phased resume`",
        ),
    })
}

fn due(deadline: Option<Timestamp>, now: Timestamp) -> String {
    match deadline {
        None => String::new(),
        Some(at) if at > now => format!(", with deadline {at}"),
        Some(at) => format!(", and its deadline {at} is over"),
    }
}

fn is_against(reason: &Reason) -> bool {
    matches!(reason, Reason::Exclude(_) | Reason::Outside(_))
}

fn worded(reason: &Reason) -> String {
    match reason {
        Reason::All => "its rule for all".to_owned(),
        Reason::Direct => "its direct rule".to_owned(),
        Reason::Query(name) => format!("its query \"{name}\""),
        Reason::Include(code) => format!("its inclusion of {code}"),
        Reason::Exclude(code) => format!("it excludes {code}"),
        Reason::Outside(code) => format!("it is limited to {code}"),
    }
}

/// Whether updates are installed on the client at all.
pub(super) fn settings(v: &View<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    let reaching = Reaching::of(v, &(asked.owner, asked.record.clone()))?;
    let evidence = "its resultant client settings";
    Ok(match reaching.resultant().is_on("software_updates.enabled") {
        true => step(("settings", Verdict::Yes), "software updates are on", evidence),
        false => with_remedy(
            step(("settings", Verdict::No), "software updates are off for this client", evidence),
            "`tierline client-settings resultant` says which profile; `set` changes it",
        ),
    })
}

/// When the update finds room in a maintenance window.
pub(super) fn windows(v: &View<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    let reaching = Reaching::of(v, &(asked.owner, asked.record.clone()))?;
    let list = window_list(&reaching.windows(v)?);
    let all = match reaching.resultant().is_on("windows.in_all") {
        true => Use::Also,
        false => Use::Otherwise,
    };
    // The client's own clock is not known here.
    let (calendar, _) = Calendar::of(&list.windows, all, &Zone::of_any_client());
    let set: Option<UpdateSetting> = v.get(asked.item.update.id.as_bytes())?;
    let minutes = run_minutes(asked.item.classification, set.as_ref());
    let codes: Vec<&str> = list.windows.iter().map(|window| window.code.as_str()).collect();
    let evidence = match codes.is_empty() {
        true => "no window reaches it".to_owned(),
        false => format!("windows {}; it may take {minutes} minutes", codes.join(", ")),
    };
    Ok(match calendar.room(v.now(), minutes.into()) {
        Room::Now => step(("window", Verdict::Yes), "it may be installed now", evidence),
        Room::From(at) => {
            step(("window", Verdict::Waits), format!("it may be installed from {at}"), evidence)
        }
        Room::Never => with_remedy(
            step(("window", Verdict::No), "it fits into no window", evidence),
            "make a window longer, or `tierline update set --max-run-minutes`",
        ),
    })
}

/// Whether the client's policy names the update.
pub(super) fn policy(v: &View<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    if let Some(step) = elsewhere(v, asked, ("policy", "the policy of its clients is made at")) {
        return Ok(step);
    }
    let Some(head) = v.policy_head(asked.record.id)? else {
        let says = "it has no policy yet";
        return Ok(step(("policy", Verdict::Waits), says, "no signed head"));
    };
    let evidence = format!("signed head, version {}", head.version);
    for (digest, _) in &head.parts {
        let Some(bytes) = v.policy_part(digest)? else { continue };
        let Ok(Part::Assignment(assignment)) = decode_part(&bytes) else { continue };
        if assignment.updates.iter().any(|one| asked.wholes.contains(&one.update.id)) {
            let says = format!("deployment {} names it", assignment.deployment);
            return Ok(step(("policy", Verdict::Yes), says, evidence));
        }
    }
    Ok(step(("policy", Verdict::No), "no deployment in it names the update", evidence))
}
