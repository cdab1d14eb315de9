//! Templates: what a new rule starts from. Some are everywhere; others are rules that somebody
//! kept, and that never run.

use deployment::{BUILT_IN, blank_rule, built_in_template};
use model::{ALL_SYSTEMS, Invalid, ObjectCode, Rule, RuleDeployment, Style};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::Answer;
use super::noun::RULE;
use super::rule::order::{check, evaluate_words};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Characters that a template's name may have besides ASCII letters and digits (DEPX-05).
const OTHER_CHARACTERS: [char; 3] = [' ', '\\', '\''];

/// A blank rule as a template leaves it; no name: as it is.
pub(super) fn start(r: &Reader<'_>, name: &str, blank: Rule) -> Result<Rule, Error> {
    if name.is_empty() {
        return Ok(blank);
    }
    if let Some(rule) = built_in_template(name, blank.clone()) {
        return Ok(rule);
    }
    let saved = saved(r)?.into_iter().find(|rule| rule.name == name || rule.code.as_str() == name);
    let saved = saved.ok_or_else(|| Error::Unknown {
        what: "template",
        name: name.to_owned(),
        see: "tierline rule template list",
    })?;
    let to = blank.deployments.first().map(|order| order.collection.clone());
    let deployments = saved.deployments.into_iter().map(|order| RuleDeployment {
        collection: to.clone().unwrap_or(order.collection),
        ..order
    });
    Ok(Rule {
        code: blank.code,
        name: String::new(),
        style: blank.style,
        group: None,
        package: None,
        deployed: Vec::new(),
        deployments: deployments.collect(),
        ..saved
    })
}

fn saved(r: &Reader<'_>) -> Result<Vec<Rule>, Error> {
    let all = r.list::<Rule>()?.into_iter().map(|(_, rule)| rule);
    Ok(all.filter(|rule| rule.style == Style::Template).collect())
}

pub(super) fn save(c: &Change<'_>, asked: pb::SaveRuleTemplateRequest) -> Answer<String> {
    let pb::SaveRuleTemplateRequest { code, name } = asked;
    let (_, rule) = RULE.found(c, &code)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || OTHER_CHARACTERS.contains(&c);
    if !name.chars().all(is_allowed) || BUILT_IN.contains(&name.as_str()) {
        let reason = format!(
            "\"{name}\" is not of ASCII letters, digits, spaces, \\ and ' alone, or is built in"
        );
        return Err(Invalid::new("name", reason).into());
    }
    let template = Rule {
        code: RULE.new_code(c)?,
        name,
        style: Style::Template,
        group: None,
        package: None,
        deployed: Vec::new(),
        ..rule
    };
    check(c, &template)?;
    c.audit(Deed::Created, format!("rule template {} ({})", template.code, template.name))?;
    c.put_own(&template)?;
    Ok(template.code.to_string())
}

pub(super) fn list(v: &View<'_>, _: pb::ListRuleTemplatesRequest) -> Answer<Vec<pb::RuleTemplate>> {
    let row = |name: &str, code: String, rule: &Rule| pb::RuleTemplate {
        name: name.to_owned(),
        built_in: code.is_empty(),
        code,
        filter: rule.filter.clone(),
        evaluate: evaluate_words(&rule.evaluate).to_owned(),
        group_use: rule.group_use.as_str().to_owned(),
    };
    let all_systems = ObjectCode::new(ALL_SYSTEMS)?;
    let blank = blank_rule(all_systems.clone(), all_systems);
    let built_in = BUILT_IN.into_iter().filter_map(|name| {
        Some(row(name, String::new(), &built_in_template(name, blank.clone())?))
    });
    let saved = saved(v)?;
    let saved = saved.iter().map(|rule| row(&rule.name, rule.code.to_string(), rule));
    Ok(built_in.chain(saved).collect())
}
