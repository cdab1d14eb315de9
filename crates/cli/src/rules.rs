//! `tierline rule`: automatic deployment rules.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::deploying::options::Options;
use crate::desk::Desk;
use crate::waiting::{Events, Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Rule {
    /// Makes a rule that deploys what matches
    #[command(after_help = "Example:\n  tierline rule create Patches --template patch-tuesday \
        --collection SMS00001")]
    Create {
        name: String,
        /// patch-tuesday, definitions, office-365 or a saved template
        #[arg(long, default_value = "", hide_default_value = true)]
        template: String,
        /// Whose computers [default: all]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        collection: String,
        /// rule, approval (takes only what comes later), or template
        #[arg(long, value_parser = ["rule", "approval", "template"], default_value = "rule",
            hide_possible_values = true)]
        style: String,
        #[command(flatten)]
        terms: Box<Terms>,
        #[command(flatten)]
        times: Times,
    },
    /// Changes a rule from its next run on; what is not named stays
    #[command(after_help = "Example:\n  tierline rule change CAS00001 --evaluate on-change")]
    Change {
        code: String,
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        terms: Box<Terms>,
    },
    /// The rules of all sites and their last runs
    #[command(after_help = "Example:\n  tierline rule list")]
    List {
        /// rule, approval or template
        #[arg(long, value_parser = ["rule", "approval", "template"], default_value = "rule",
            hide_possible_values = true)]
        style: String,
    },
    /// One rule, all of it
    #[command(after_help = "Example:\n  tierline rule show CAS00001 -o json")]
    Show { code: String },
    /// What a rule, or a filter that is no rule yet, would take now, and when it would run
    #[command(after_help = "Example:\n  tierline rule preview \
        --filter \"released > 30d and required > 0\"")]
    Preview {
        #[arg(default_value = "", hide_default_value = true)]
        code: String,
        #[arg(long, value_name = "QUERY", default_value = "", hide_default_value = true)]
        #[arg(required_unless_present = "code", conflicts_with = "code")]
        filter: String,
        /// Leaves out what has license terms
        #[arg(long, requires = "filter")]
        without_license: bool,
        /// A recurrence, to see when it comes
        #[arg(long, value_name = "RECURRENCE", default_value = "", hide_default_value = true)]
        evaluate: String,
    },
    /// Runs a rule now, also a disabled one
    #[command(after_help = "Example:\n  tierline rule run CAS00001")]
    Run {
        code: String,
        /// Waits until it has ended and its files are here; fails if it failed
        #[arg(long)]
        wait: bool,
    },
    /// What a rule did, newest first
    #[command(after_help = "Example:\n  tierline rule runs CAS00001")]
    Runs { code: String },
    /// The steps of one run [default: of the last]
    #[command(after_help = "Example:\n  tierline rule steps CAS00001")]
    Steps {
        code: String,
        #[arg(default_value_t = 0, hide_default_value = true)]
        number: u64,
    },
    /// Lets a rule run by itself again
    #[command(after_help = "Example:\n  tierline rule enable CAS00001")]
    Enable { code: String },
    /// Lets a rule run no more unless it is asked to; what it deployed stays
    #[command(after_help = "Example:\n  tierline rule disable CAS00001")]
    Disable { code: String },
    /// Deletes a rule; what it made stays
    #[command(after_help = "Example:\n  tierline rule delete CAS00001")]
    Delete { code: String },
    /// The deployments that a rule makes
    #[command(subcommand)]
    Deployment(RuleDeployment),
    /// What new rules start from
    #[command(subcommand)]
    Template(Template),
}

/// What a rule shall be; what is not named is the template's or stays.
#[derive(Args, Debug)]
pub(crate) struct Terms {
    #[arg(long)]
    description: Option<String>,
    /// What to take, as in: classification = "Security Updates" and required > 0
    #[arg(long, value_name = "QUERY")]
    filter: Option<String>,
    /// manual, on-change, or a recurrence such as "0 2 * * TUE#2 plus 1 day in Europe/Berlin"
    #[arg(long, value_name = "WHEN")]
    evaluate: Option<String>,
    /// Whether each run fills a new group, or the same one again
    #[arg(long, value_parser = ["new", "refill"])]
    group_use: Option<String>,
    /// Where the files go [default: one that is made at the first run]
    #[arg(long, value_name = "CODE")]
    package: Option<String>,
    /// A distribution point for the package, or none; may be given several times
    #[arg(long = "point", value_name = "NAME")]
    points: Vec<String>,
    /// Of the updates, as in en; may be given several times [default: all that are synchronized]
    #[arg(long = "language", value_name = "TAG")]
    languages: Vec<String>,
    /// Leaves out what has license terms; else they are accepted for the computers
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    without_license: Option<bool>,
    /// report counts only, content fetches files and leaves the deployments disabled
    #[arg(long, value_parser = ["report", "content", "deploy"])]
    stage: Option<String>,
    /// Spreads too many updates over several groups instead of failing
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    split: Option<bool>,
}

impl Terms {
    fn order(self, name: Option<String>) -> pb::RuleOrder {
        pb::RuleOrder {
            name,
            description: self.description,
            filter: self.filter,
            evaluate: self.evaluate,
            group_use: self.group_use,
            package: self.package,
            points: self.points,
            languages: self.languages,
            only_without_license: self.without_license,
            stage: self.stage,
            splits: self.split,
            enabled: None,
        }
    }
}

/// What a deployment of a rule is, and when.
#[derive(Args, Debug)]
pub(crate) struct Times {
    /// Whether it is installed at the deadline or offered to the user
    #[arg(long, value_parser = ["required", "available"])]
    intent: Option<String>,
    /// From the beginning of a run: asap, 4h, 7d, or "7d at 02:00" [default: asap]
    #[arg(long, value_name = "TIME")]
    available: Option<String>,
    /// Likewise, from when it becomes available [default: 7d]
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
}

impl Times {
    fn are_given(&self) -> bool {
        self.intent.is_some() || self.available.is_some() || self.deadline.is_some()
    }

    fn deployment(self, name: String, collection: String) -> pb::RuleDeployment {
        pb::RuleDeployment {
            name,
            collection,
            intent: self.intent.unwrap_or_default(),
            available: self.available.unwrap_or_default(),
            deadline: self.deadline.unwrap_or_default(),
            ..pb::RuleDeployment::default()
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuleDeployment {
    /// One more, of the same group and package, from the next run on
    #[command(after_help = "Example:\n  tierline rule deployment add CAS00001 \
        --collection CAS00002 --available 3d --deadline \"7d at 02:00\"")]
    Add {
        code: String,
        #[arg(long, value_name = "CODE")]
        collection: String,
        /// What it is called [default: as the rule]
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        times: Times,
        /// Leaves it disabled until somebody enables it
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        options: Box<Options>,
    },
    /// One less from the next run on; what runs made of it stays, but is disabled where the group
    /// is filled again
    #[command(after_help = "Example:\n  tierline rule deployment remove CAS00001 2")]
    Remove {
        code: String,
        /// As `rule show` counts them
        number: u32,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// Those that are built in, and those that were saved
    #[command(after_help = "Example:\n  tierline rule template list")]
    List,
    /// Keeps a rule as a template
    #[command(after_help = "Example:\n  tierline rule template save CAS00001 Servers")]
    Save { code: String, name: String },
}

impl Rule {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Rule::Create { name, template, collection, style, terms, times } => {
                let given = times.are_given();
                let first = times.deployment(String::new(), String::new());
                let request = pb::CreateRuleRequest {
                    style,
                    template,
                    order: Some(terms.order(Some(name))),
                    deployments: given.then_some(first).into_iter().collect(),
                    collection,
                };
                desk.show(request).await
            }
            Rule::Change { code, name, terms } => {
                let order = Some(terms.order(name));
                desk.show(pb::ChangeRuleRequest { code, order }).await
            }
            Rule::List { style } => desk.show(pb::ListRulesRequest { style }).await,
            Rule::Show { code } => desk.show(pb::GetRuleRequest { code }).await,
            Rule::Preview { code, filter, without_license, evaluate } => {
                let only_without_license = without_license;
                let request =
                    pb::PreviewRuleRequest { code, filter, only_without_license, evaluate };
                desk.show(request).await
            }
            Rule::Run { code, wait: false } => desk.show(pb::RunRuleRequest { code }).await,
            Rule::Run { code, wait: true } => run_and_wait(desk, code).await,
            Rule::Runs { code } => desk.show(pb::ListRuleRunsRequest { code }).await,
            Rule::Steps { code, number } => desk.show(pb::GetRuleRunRequest { code, number }).await,
            Rule::Enable { code } => {
                desk.show(pb::SetRuleEnabledRequest { code, enabled: true }).await
            }
            Rule::Disable { code } => {
                desk.show(pb::SetRuleEnabledRequest { code, enabled: false }).await
            }
            Rule::Delete { code } => desk.show(pb::DeleteRuleRequest { code }).await,
            Rule::Deployment(deployment) => deployment.run(desk).await,
            Rule::Template(Template::List) => desk.show(pb::ListRuleTemplatesRequest {}).await,
            Rule::Template(Template::Save { code, name }) => {
                desk.show(pb::SaveRuleTemplateRequest { code, name }).await
            }
        }
    }
}

impl RuleDeployment {
    async fn run(self, desk: &Desk) -> Outcome {
        match self {
            RuleDeployment::Add { code, collection, name, times, disabled, options } => {
                let deployment = pb::RuleDeployment {
                    enabled: Some(!disabled),
                    options: Some(options.told()),
                    ..times.deployment(name, collection)
                };
                let deployment = Some(deployment);
                desk.show(pb::AddRuleDeploymentRequest { code, deployment }).await
            }
            RuleDeployment::Remove { code, number } => {
                desk.show(pb::RemoveRuleDeploymentRequest { code, number }).await
            }
        }
    }
}

async fn run_and_wait(desk: &Desk, code: String) -> Outcome {
    let begun = desk.call(&pb::RunRuleRequest { code: code.clone() }).await?;
    let number = begun.read::<pb::RunRuleResponse>().number;
    let look = |answer: &pb::GetRuleRunResponse| {
        let run = answer.row.clone().unwrap_or_default();
        let last = answer.steps.last().map_or_else(String::new, |step| step.detail.clone());
        if run.ended_at.is_some() { Look::Done } else { Look::Going(last) }
    };
    let request = pb::GetRuleRunRequest { code, number };
    let ended = wait(desk, Events::Texts, &request, look).await?;
    let failed = ended.row.is_some_and(|run| run.outcome == "failed");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
