//! The templates that every site has: rules that never run, from which others are made (DEPX-05).

use model::{
    Alert, DetailLevel, Download, Due, Evaluate, Experience, GroupUse, Intent, ObjectCode, Rule,
    RuleDeployment, Stage, Style, TimeBasis,
};

/// The names of the built-in templates.
pub const BUILT_IN: [&str; 3] = [PATCH_TUESDAY, DEFINITIONS, OFFICE_365];

const PATCH_TUESDAY: &str = "patch-tuesday";
const DEFINITIONS: &str = "definitions";
const OFFICE_365: &str = "office-365";

/// The second Tuesday of the month and what follows it.
const DAY_AFTER_PATCH_TUESDAY: &str = "0 2 * * TUE#2 plus 1 day in UTC";

const MONTHLY: &str = "released > 30d and not superseded and classification in \
     (\"Security Updates\", \"Critical Updates\", \"Update Rollups\")";
/// A rule that fills its group again leaves four of each product of these (DEPX-20).
const OF_DEFINITIONS: &str = "classification = \"Definition Updates\" and \
     (not superseded or released > 7d)";
const OF_OFFICE: &str = "released > 30d and not superseded and product like \"%365%\"";

/// What a new rule is until something is said of it; with a deployment to `collection`.
#[must_use]
pub fn blank_rule(code: ObjectCode, collection: ObjectCode) -> Rule {
    Rule {
        code,
        name: String::new(),
        description: String::new(),
        style: Style::Rule,
        filter: String::new(),
        evaluate: Evaluate::Manual,
        group_use: GroupUse::New,
        group: None,
        package: None,
        points: Vec::new(),
        languages: Vec::new(),
        only_without_license: false,
        stage: Stage::Deploy,
        splits: false,
        is_enabled: true,
        since: 0,
        deployments: vec![blank_deployment(collection)],
        deployed: Vec::new(),
    }
}

/// A required deployment with a week's time, as the recommended defaults have it.
#[must_use]
pub fn blank_deployment(collection: ObjectCode) -> RuleDeployment {
    RuleDeployment {
        name: String::new(),
        collection,
        intent: Intent::Required,
        available: Due::Asap,
        deadline: Some(Due::After { minutes: 7 * 24 * 60 }),
        basis: TimeBasis::Utc,
        experience: Experience::default(),
        download: Download::default(),
        alert: None,
        detail: DetailLevel::All,
        wakes: false,
        is_enabled: true,
    }
}

/// What a built-in template makes of a blank rule; none: there is no such template.
#[must_use]
pub fn built_in_template(name: &str, blank: Rule) -> Option<Rule> {
    let monthly = |filter: &str| Rule {
        filter: filter.to_owned(),
        evaluate: Evaluate::At(DAY_AFTER_PATCH_TUESDAY.to_owned()),
        ..blank.clone()
    };
    match name {
        PATCH_TUESDAY => Some(monthly(MONTHLY)),
        OFFICE_365 => Some(monthly(OF_OFFICE)),
        DEFINITIONS => {
            let deployment = |plain: &RuleDeployment| RuleDeployment {
                deadline: Some(Due::Asap),
                detail: DetailLevel::Errors,
                alert: Some(Alert { below_percent: 95, after_days: 7 }),
                ..plain.clone()
            };
            Some(Rule {
                filter: OF_DEFINITIONS.to_owned(),
                evaluate: Evaluate::OnChange,
                group_use: GroupUse::Refill,
                deployments: blank.deployments.iter().map(deployment).collect(),
                ..blank
            })
        }
        _ => None,
    }
}
