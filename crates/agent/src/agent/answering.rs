//! Answering whoever sits at this computer.
//!
//! Owns what each request does; who may is decided first. What somebody here has asked for is in
//! the history with the name of who did. Nothing is waited for: what takes time is begun, and the
//! answer says so.

use client::cache_rules::Occasion;
use client::restart::Standing as RestartStanding;
use client::{Command, Event, EventKind, Keep, NotDone};
use model::{Form, Timestamp, UpdateId, error_chain};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Agent, planning};
use crate::Error;
use crate::control::{
    Answer, Asked, Caller, Cycle, Refused, Request, Rights, Socket, Standing, Text, limits,
};
use crate::store::Wanted;

impl Agent {
    /// Opens the local socket, if there is to be one, and says where questions come in. Without it
    /// the agent does its work all the same.
    pub(super) fn open_socket(
        &self,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> mpsc::Receiver<Asked> {
        let (sender, questions) = mpsc::channel(limits::ASKED_MAX);
        let Some(local) = &self.hands.config.local else { return questions };
        match Socket::bind(local) {
            Ok(socket) => drop(tasks.spawn(socket.serve(sender, stop.clone()))),
            Err(error) => {
                let (path, reason) = (local.path.display(), error_chain(&error));
                tracing::warn!(%path, reason, "nobody can ask this agent: no local socket");
            }
        }
        questions
    }

    /// Fails only if what is stored is damaged.
    pub(super) async fn answer(&mut self, asked: Asked) -> Result<(), Error> {
        let Asked { request, caller, answer } = asked;
        let given = match self.may(&request, &caller).and_then(|()| self.can(&request)) {
            Ok(()) => match self.respond(request, &caller).await {
                Err(error) if error.is_of_disk() => self.no_room(&error_chain(&error)).into(),
                given => given?,
            },
            Err(refused) => refused.into(),
        };
        if answer.send(given).is_err() {
            tracing::debug!(uid = caller.uid, "nobody waits for the answer any more");
        }
        Ok(())
    }

    fn may(&self, request: &Request, caller: &Caller) -> Result<(), Refused> {
        let local = self.hands.config.local.as_ref();
        let rights = Rights {
            install_by: self.client.rules().installers,
            primary_users: local.map_or(&[], |local| &local.primary_users),
        };
        rights.check(request, caller)?;
        let is_server = self.hands.machine.form() == Form::Server;
        let may_all = self.client.policy().options.is_on("restart.low_rights_servers");
        match (request, caller.standing) {
            // CSET-17.
            (Request::Reboot { defer_minutes: None }, Standing::User | Standing::Absent)
                if is_server && !may_all =>
            {
                let what = "policy does not let users without rights restart a server";
                Err(Refused::new(what, "ask an administrator of this computer, or use sudo"))
            }
            _ => Ok(()),
        }
    }

    /// Whoever is answered may rely on it, so nothing is promised that cannot be remembered.
    fn can(&self, request: &Request) -> Result<(), Refused> {
        let is_promise = !matches!(
            request,
            Request::Status
                | Request::History { .. }
                | Request::Updates
                | Request::CacheList
                | Request::CacheClean
                | Request::RebootStatus
                | Request::Policy
                | Request::Explain { .. }
        );
        match self.backlog.failing() {
            Some(failing) if is_promise => Err(self.no_room(&failing.reason)),
            Some(_) | None => Ok(()),
        }
    }

    fn no_room(&self, reason: &str) -> Refused {
        let data = self.hands.config.data.display();
        let remedy = format!("make room on the disk of {data}; see `tierline-agent status`");
        Refused::new(format!("the agent cannot remember anything: {reason}"), remedy)
    }

    async fn respond(&mut self, request: Request, caller: &Caller) -> Result<Answer, Error> {
        let now = self.hands.now();
        match request {
            Request::Status => self.status(now).await,
            Request::History { limit } => self.history(limit).await,
            Request::Updates => Ok(Answer::Updates(self.offers(now).await)),
            Request::CacheList => self.cached().await,
            Request::RebootStatus => Ok(Answer::Restart(self.pending_restart())),
            Request::Policy => Ok(Answer::Policy(Box::new(self.in_effect()))),
            Request::Explain { update: Text(update) } => self.explain(update, now).await,
            Request::CacheClean => {
                self.note(caller, None, "cache clean").await?;
                self.clean_cache(now).await
            }
            Request::Scan { cycle } => {
                let command = match cycle {
                    Cycle::Scan => Command::Scan,
                    Cycle::Evaluation => Command::Evaluate,
                };
                self.scan_by_hand(&command, caller, now).await
            }
            Request::InstallAt { updates, at } => {
                match planning::moment(&at, &self.hands.machine.zone()) {
                    Ok(at) => {
                        let done = format!("it is installed at {at}; `install --cancel` ends that");
                        let command = Command::InstallAt(named(updates), at);
                        self.carry(&command, None, &done, caller).await
                    }
                    Err(refused) => Ok(refused.into()),
                }
            }
            Request::Unplan { updates } => {
                let done = "it is not installed at the time that was set for it";
                self.carry(&Command::Unplan(named(updates)), None, done, caller).await
            }
            Request::Install { updates } => {
                let done = "the installation begins; `tierline-agent status` tells how far it is";
                self.carry(&Command::Install(named(updates)), None, done, caller).await
            }
            Request::Hide { update: Text(id) } => {
                let done = "the update is offered no more; `show` offers it again";
                self.carry(&Command::Hide(id), Some(id), done, caller).await
            }
            Request::Show { update: Text(id) } => {
                let done = "the update is offered, wherever a deployment makes it available";
                self.carry(&Command::Show(id), Some(id), done, caller).await
            }
            Request::Reboot { defer_minutes: Some(minutes) } => {
                let done = format!("the restart is put off for {minutes} minutes");
                self.carry(&Command::Defer(minutes), None, &done, caller).await
            }
            Request::Reboot { defer_minutes: None } => self.restart_by_hand(caller).await,
            Request::Reset => {
                let done = "what was found and what failed is forgotten; a new scan begins";
                self.carry(&Command::Reset, None, done, caller).await
            }
        }
    }

    /// Lets the client's machine have a command, and the history who gave it.
    async fn carry(
        &mut self,
        command: &Command,
        update: Option<UpdateId>,
        done: &str,
        caller: &Caller,
    ) -> Result<Answer, Error> {
        let now = self.hands.now();
        match self.client.command(command, now) {
            Ok(()) => {
                // Whoever is answered may rely on it.
                self.keep().await?;
                self.note(caller, update, words(command)).await?;
                Ok(Answer::done(done))
            }
            Err(refused) => Ok(Refused::new(refused.to_string(), remedy(&refused)).into()),
        }
    }

    async fn scan_by_hand(
        &mut self,
        command: &Command,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        // One scan answers all; whoever asks for them without end would have nothing else done.
        if caller.standing != Standing::Administrator && self.client.has_scanned_lately(now) {
            let done = "a scan goes on, or ended less than a minute ago; see `status`";
            return Ok(Answer::done(done));
        }
        if self.client.policy().version == 0 {
            // A scan may have to wait for policy, which names the servers.
            self.client.want_policy(now);
        }
        let done = "the scan begins; `tierline-agent status` tells what came of it";
        self.carry(command, None, done, caller).await
    }

    async fn restart_by_hand(&mut self, caller: &Caller) -> Result<Answer, Error> {
        match self.client.restart_standing() {
            RestartStanding::None => {
                let what = "no restart is pending";
                Ok(Refused::new(what, "restart the computer as you would without the agent").into())
            }
            RestartStanding::Suppressed
            | RestartStanding::Asked
            | RestartStanding::At(..)
            | RestartStanding::NoWindow => {
                let done = "the computer restarts as soon as nothing is being installed";
                self.carry(&Command::Restart, None, done, caller).await
            }
        }
    }

    async fn note(
        &mut self,
        caller: &Caller,
        update: Option<UpdateId>,
        what: &str,
    ) -> Result<(), Error> {
        tracing::info!(uid = caller.uid, user = caller.name, what, "somebody here asked");
        let scan = self.client.scan();
        let update = update.and_then(|id| Some(scan?.updates.get(&id)?.update));
        let event = Event {
            at: self.hands.now(),
            kind: EventKind::User,
            update,
            code: None,
            duration_ms: None,
            bytes: None,
            text: format!("{}: {what}", caller.name),
        };
        self.keep_with(vec![Keep::Event(event)]).await
    }

    async fn history(&self, limit: u32) -> Result<Answer, Error> {
        let rows = limit.min(u32::try_from(limits::ROWS_MAX).unwrap_or(u32::MAX));
        let events = self.store.history(Wanted::All, rows).await?;
        Ok(Answer::History(events.into_iter().map(super::describing::happening).collect()))
    }

    /// Removes what no deployment names; the rest is needed, or would be fetched again.
    async fn clean_cache(&self, now: Timestamp) -> Result<Answer, Error> {
        let hands = &self.hands;
        let removed = hands.room.make(&hands.library, Occasion::Asked, now).await?;
        let (files, bytes) = (removed.files, removed.bytes);
        Ok(Answer::done(format!("{files} files of {bytes} bytes were removed")))
    }
}

/// None: all of them.
fn named(updates: Vec<Text<UpdateId>>) -> Option<Vec<UpdateId>> {
    let named: Vec<UpdateId> = updates.into_iter().map(|Text(id)| id).collect();
    (!named.is_empty()).then_some(named)
}

/// For the history.
fn words(command: &Command) -> &'static str {
    match command {
        Command::AskPolicy => "policy asked for",
        Command::Scan => "scan",
        Command::Evaluate => "scan --evaluate",
        Command::Install(None) => "install all that is offered",
        Command::Install(Some(_)) => "install",
        Command::InstallAt(..) => "install --at",
        Command::Unplan(_) => "install --cancel",
        Command::Hide(_) => "hide",
        Command::Show(_) => "show",
        Command::Defer(_) => "restart put off",
        Command::Restart => "restart",
        Command::SendAll => "everything told anew",
        Command::Reset => "reset",
    }
}

fn remedy(refused: &NotDone) -> &'static str {
    match refused {
        NotDone::NotOffered(_) | NotDone::NothingOffered => {
            "see `tierline-agent updates` for what is offered, `explain UPDATE` for why one is not"
        }
        NotDone::Required(_) => "have it taken out of its deployment, or the deployment held",
        NotDone::PolicyExpired(_) => "see `tierline-agent status` for why no newer policy comes",
        NotDone::NotHidden(_) => "see `tierline-agent updates` for those that are hidden",
        NotDone::Past(_) => "name a later time, or none for now",
        NotDone::TooFar(_) => "name an earlier time",
        NotDone::AfterDeadline(..) => "name a time before its deadline, or wait for that",
        NotDone::NotPlanned(_) | NotDone::NothingPlanned => {
            "see `tierline-agent updates` for what waits for a time that somebody has set"
        }
        NotDone::NoRestart => "see `tierline-agent reboot-status`",
        NotDone::TooLate(_) => "put it off for less, or restart now",
    }
}
