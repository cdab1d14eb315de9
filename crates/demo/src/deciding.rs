//! An update goes its way without anybody asking: a rule from a template, run once.
//!
//! What the rule takes is on the computers already, so that its deployment is complied with at
//! once, whatever hours computers spread their installations over.

use model::ALL_SYSTEMS;
use rpc::pb::admin as pb;

use crate::Error;
use crate::operator::{Desk, Look, ask, until};
use crate::progress::Progress;
use crate::tour::{STEP_MAX, all_comply};

/// Makes the rule, looks at what it would take, and runs it; gives its deployment.
pub(crate) async fn by_rule(
    desk: &Desk,
    (updates, package): (&[String], &str),
    clients: u64,
    progress: &Progress,
) -> Result<String, Error> {
    let step = progress.step("Automatic deployment rule");
    let ids: Vec<String> = updates.iter().map(|id| format!("\"{id}\"")).collect();
    let order = pb::RuleOrder {
        name: Some("Patch Tuesday".to_owned()),
        filter: Some(format!("id in ({})", ids.join(", "))),
        package: Some(package.to_owned()),
        ..pb::RuleOrder::default()
    };
    let deployment = pb::RuleDeployment {
        name: "Patch Tuesday to everybody".to_owned(),
        collection: ALL_SYSTEMS.to_owned(),
        deadline: "asap".to_owned(),
        ..pb::RuleDeployment::default()
    };
    let request = pb::CreateRuleRequest {
        template: "patch-tuesday".to_owned(),
        order: Some(order),
        deployments: vec![deployment],
        ..pb::CreateRuleRequest::default()
    };
    let code = ask("make a rule", desk.clone().create_rule(request)).await?.code;
    let request = pb::PreviewRuleRequest { code: code.clone(), ..Default::default() };
    let taken = ask("preview the rule", desk.clone().preview_rule(request)).await?.count;
    step.tell(format!("{code} would take {taken} updates"));
    let request = pb::RunRuleRequest { code: code.clone() };
    let number = ask("run the rule", desk.clone().run_rule(request)).await?.number;
    until("the rule's run", STEP_MAX, async || {
        let request = pb::GetRuleRunRequest { code: code.clone(), number };
        let answer = ask("see the run", desk.clone().get_rule_run(request)).await?;
        let last = answer.steps.last().map(|step| format!("{}: {}", step.what, step.detail));
        match answer.row.unwrap_or_default().outcome.as_str() {
            "succeeded" => Ok(Look::There(())),
            "failed" => Err(Error::Rule { code: code.clone(), cause: last.unwrap_or_default() }),
            outcome => Ok(Look::NotYet(format!("it is {outcome}; {}", last.unwrap_or_default()))),
        }
    })
    .await?;
    let request = pb::GetRuleRequest { code: code.clone() };
    let made = ask("see the rule", desk.clone().get_rule(request)).await?;
    let deployed = made.deployments.into_iter().flat_map(|deployment| deployment.deployed).next();
    let deployment = deployed.ok_or(Error::Answer { what: "deployment of a rule" })?;
    let row = all_comply(desk, &deployment, (clients, None), &step).await?;
    step.done(format!(
        "{code} took {taken} updates, and {} of {clients} clients comply",
        row.compliant
    ));
    Ok(deployment)
}
