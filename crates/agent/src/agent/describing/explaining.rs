//! Why an update is to this computer what it is, from its rules to its last installation.

use std::collections::BTreeMap;

use client::plan::{Phase, Run};
use model::{Assignment, EnforcementState, Timestamp, UpdateId};
use tokio::time::timeout;
use update_metadata::{Applicability, Document, Truth, evaluate, findings};

use super::{happening, title};
use crate::agent::Agent;
use crate::control::{Answer, Code, Explained, NamedFile, Refused, Tested, Text};
use crate::machine::look;
use crate::store::Wanted;
use crate::{Error, limits};

/// Events of one update in its explanation.
const EVENTS_OF_UPDATE: u32 = 20;

impl Agent {
    pub(in crate::agent) async fn explain(
        &self,
        id: UpdateId,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        let refused = |what: &str, remedy: &str| Ok(Refused::new(what, remedy).into());
        let Some(scan) = self.client.scan() else {
            return refused("no scan has been made since the agent started", "run `scan` first");
        };
        let Some(judged) = scan.updates.get(&id) else {
            let what = format!("update {id} is not in the catalog of this computer");
            return refused(&what, "see whether its update point has it; `scan` looks for it now");
        };
        let document = self.documents(vec![judged.update]).await.pop();
        let (rules, because) = match &document {
            Some(document) => self.reasons(document, &judged.verdict).await,
            None => (Vec::new(), "its document cannot be read here".to_owned()),
        };
        let assignments = self.client.policy().assignments.iter();
        let mut deployments = Vec::new();
        let mut content = BTreeMap::new();
        for assignment in assignments {
            let mut named = assignment.updates.iter().filter(|update| update.update.id == id);
            let Some(update) = named.next() else { continue };
            let only = Assignment { updates: vec![update.clone()], ..assignment.clone() };
            deployments.push(self.deployed(&only, now));
            content.extend(update.files.iter().map(|file| (file.sha256, file.clone())));
        }
        let missing = self.hands.library.missing(content.keys().copied().collect()).await?;
        let content = content.into_values().map(|file| NamedFile {
            is_here: !missing.contains(&file.sha256),
            sha256: file.sha256.to_string(),
            name: file.name,
            size_bytes: file.size,
        });
        let run = self.client.run(id);
        let history = self.store.history(Wanted::Of(id), EVENTS_OF_UPDATE).await?;
        Ok(Answer::Update(Box::new(Explained {
            update: Text(id),
            revision: judged.update.revision,
            title: document.as_ref().and_then(title),
            applicability: applicability(&judged.verdict),
            because,
            offered: self.client.is_offered(id),
            hidden: self.client.notes().hidden.contains(&id),
            attempts: run.map_or(0, |run| run.attempts),
            last_run_at: run.map(|run| Text(run.at)),
            last_result: run.map(|run| run.phase.as_str()),
            code: run.and_then(failure),
            rules,
            deployments,
            content: content.collect(),
            history: history.into_iter().map(happening).collect(),
        })))
    }

    /// Every test of a document's rules, and in words what decides.
    async fn reasons(&self, document: &Document, verdict: &Applicability) -> (Vec<Tested>, String) {
        let machine = &*self.hands.machine;
        let looked = async {
            let mut facts = machine.facts().await?;
            look(machine, document, &mut facts).await?;
            Ok::<_, std::io::Error>(facts)
        };
        let facts = match timeout(limits::EXPLAINING_MAX, looked).await {
            Ok(Ok(facts)) => facts,
            Ok(Err(error)) => return (Vec::new(), format!("the facts cannot be read: {error}")),
            Err(_) => {
                let because = "the files that its rules ask for take too long to look at";
                return (Vec::new(), because.to_owned());
            }
        };
        let because = match (evaluate(document, &facts), verdict) {
            (_, Applicability::Unknown(reason)) => reason.clone(),
            (own, verdict) if own != *verdict => match document.properties.is_expired {
                true => "it has expired: it is listed still and offered no more".to_owned(),
                false => "what it needs, or what it consists of, decides, not its own rules".into(),
            },
            (_, Applicability::Installed) => "its rule for being installed holds".to_owned(),
            (_, Applicability::Applicable) => {
                "it is not installed, and its rule for being installable holds".to_owned()
            }
            (_, Applicability::NotApplicable) => {
                "it is not installed, and not installable or superseded by what is here".to_owned()
            }
        };
        let tested = findings(document, &facts).into_iter().map(|finding| Tested {
            decides: finding.decides,
            test: finding.test,
            result: match finding.truth {
                Truth::True => "true".to_owned(),
                Truth::False => "false".to_owned(),
                Truth::Unknown(reason) => format!("unknown: {reason}"),
            },
        });
        (tested.collect(), because)
    }
}

fn failure(run: &Run) -> Option<Code> {
    match run.phase {
        Phase::Failed(code) => Code::of(EnforcementState::Failed, code),
        Phase::Installing | Phase::Installed | Phase::PendingRestart | Phase::Waiting => None,
    }
}

pub(in crate::agent) fn applicability(verdict: &Applicability) -> &'static str {
    match verdict {
        Applicability::Installed => "installed",
        Applicability::NotApplicable => "not_applicable",
        Applicability::Applicable => "required",
        Applicability::Unknown(_) => "unknown",
    }
}
