//! Questions to management points: policy, and whether a report was taken.

use client::{Answer, Answered, Asking, Taken};
use model::{ReportOutcome, RoleKind, ServerRef, StateReport, error_chain};
use rpc::pb::client::{GetPolicyRequest, RegisterRequest};
use update_metadata::System;

use super::carrying::Hands;
use crate::Error;
use crate::calls::{ManagementPoint, first_to_answer};
use crate::servers::pass_over;

impl Hands {
    /// Asks the management points in order until one answers with what can be believed.
    pub(super) async fn ask_policy(&self, asking: &Asking) -> Result<Option<Answered>, Error> {
        let kind = RoleKind::ManagementPoint;
        let (mut has_introduced, mut same) = (false, false);
        for server in self.servers.of(kind) {
            match self.ask(&server, asking, &mut has_introduced).await {
                // Withheld from it, or from us: another one may have newer policy.
                Ok(Answer::Same) if asking.expired_at(self.now()).is_some() => {
                    self.servers.served(kind);
                    same = true;
                    self.note_withheld(&server.url, asking);
                }
                // Not planned for this client yet.
                Ok(Answer::Nothing | Answer::Same) if asking.version() == 0 => {
                    self.servers.served(kind);
                    return Ok(Some(Answered { has_introduced, answer: Answer::Nothing }));
                }
                Ok(answer) => {
                    self.servers.served(kind);
                    return Ok(Some(Answered { has_introduced, answer }));
                }
                Err(Error::Policy { url, source }) => {
                    let reason = error_chain(&source);
                    self.servers.failed(kind, format!("the policy that {url} serves: {reason}"));
                    self.refusals.note(&url, &reason, self.now());
                }
                Err(error) => {
                    if error.is_senseless() {
                        self.refusals.note(&server.url, &error_chain(&error), self.now());
                    }
                    let failure = "no policy from a management point";
                    self.servers.failed(kind, pass_over(&server.url, failure, error)?);
                }
            }
        }
        if same {
            return Ok(Some(Answered { has_introduced, answer: Answer::Same }));
        }
        self.servers.unserved(kind);
        Ok(None)
    }

    /// Whoever has nothing newer than what has expired is named, here and to the site.
    fn note_withheld(&self, url: &str, asking: &Asking) {
        let (version, now) = (asking.version(), self.now());
        if let Some(at) = asking.expired_at(now) {
            let reason = format!("it has no newer policy than version {version}, expired at {at}");
            self.refusals.note(url, &reason, now);
        }
    }

    async fn ask(
        &self,
        server: &ServerRef,
        asking: &Asking,
        has_introduced: &mut bool,
    ) -> Result<Answer, Error> {
        let mut point = ManagementPoint::new(&self.servers, server)?;
        if asking.is_introduced && !*has_introduced {
            point.register(self.introduction(asking.incarnation).await?).await?;
            *has_introduced = true;
        }
        let request = GetPolicyRequest {
            incarnation: asking.incarnation,
            have_version: asking.version(),
            have_parts: asking.parts().map(|sha256| sha256.0.to_vec()).collect(),
        };
        let Some(offer) = point.policy(request).await? else { return Ok(Answer::Same) };
        let refused = |source| Error::Policy { url: server.url.clone(), source };
        let accepted = asking.accept(&offer, self.now()).map_err(refused)?;
        Ok(Answer::New(Box::new(accepted)))
    }

    async fn introduction(&self, incarnation: u64) -> Result<RegisterRequest, Error> {
        let facts = self.machine.facts().await.map_err(Error::Facts)?;
        let os = match facts.system {
            System::Linux(linux) => {
                format!("linux {} {}", linux.id, linux.version_id.unwrap_or_default())
            }
            System::Windows(found) => {
                format!("windows {}.{}.{}", found.major, found.minor, found.build)
            }
        };
        let architecture = facts.architecture.map_or_else(String::new, |a| format!("{a:?}"));
        Ok(RegisterRequest {
            kind: self.config.kind.as_str().to_owned(),
            name: self.config.name.clone(),
            os: os.trim_end().to_owned(),
            architecture: architecture.to_lowercase(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation,
        })
    }

    /// Tells what is news of the computer. A site that lacks something hears everything at once.
    pub(super) async fn describe(&self, incarnation: u64) -> Result<bool, Error> {
        let inventory = self.machine.inventory().await;
        let mut told = self.told.lock().await;
        for _ in 0..2 {
            let report = told.report(&inventory, incarnation, self.now());
            let Some(report) = report.as_ref() else { break };
            let servers = &*self.servers;
            let send = |server| async move {
                ManagementPoint::new(servers, &server)?.send_inventory(report).await
            };
            let sent = first_to_answer(servers, "no inventory taken", send).await?;
            let Some(outcome) = sent else { return Ok(false) };
            if let Err(error) = told.taken(report, &inventory, outcome) {
                let reason = error_chain(&error);
                tracing::warn!(reason, "what the site knows of this computer cannot be remembered");
                return Ok(false);
            }
            if outcome != Some(ReportOutcome::SendFull) {
                break;
            }
        }
        Ok(true)
    }

    pub(super) async fn send(&self, report: &StateReport) -> Result<Option<Taken>, Error> {
        let servers = &*self.servers;
        let send = |server| async move {
            ManagementPoint::new(servers, &server)?.send_state(report).await
        };
        let sent = first_to_answer(servers, "no report taken", send).await?;
        if let Some(Some(ReportOutcome::Behind(known))) = sent {
            let serial = report.serial_to;
            tracing::warn!(serial, known, "the site knows more of this computer than it does");
        }
        Ok(sent.map(|outcome| outcome.map_or(Taken::Spooled, Taken::BySite)))
    }
}
