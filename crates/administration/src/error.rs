//! Why something was refused or failed. Each refusal names its remedy.

use std::path::PathBuf;

use model::{
    DeploymentId, ErrorClass, Invalid, ObjectCode, PeerIdentity, PeerKind, SiteCode, SiteKind,
    StreamId, Timestamp,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] site_db::Error),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("a certificate cannot be read or issued")]
    Certificate(#[from] trust::Error),
    #[error(
        "the join token is unknown at site {here}: another site gave it, or it is long past; make \
         a new one here with `tierline … token`"
    )]
    UnknownToken { here: SiteCode },
    #[error("the join token is for a {given}, not for a {asked}; make one of the right kind")]
    WrongKind { given: String, asked: String },
    #[error("the join token is for site {given}, not for {asked}; make one for {asked}")]
    WrongSite { given: SiteCode, asked: SiteCode },
    #[error("the join token lets {site} join below {given}, not below {asked}")]
    WrongParent { site: SiteCode, given: SiteCode, asked: SiteCode },
    #[error("the join token expired at {at}; make a new one")]
    Expired { at: Timestamp },
    #[error("the join token was used by another key at {at}; a token is good once, make a new one")]
    UsedByOther { at: Timestamp },
    #[error("a {} joins with a token and not by approval; make one", kind.as_str())]
    NeedsToken { kind: PeerKind },
    #[error(
        "the computer waits for approval until {until}; an administrator compares the fingerprint \
         of its key in `tierline client pending` and approves it"
    )]
    AwaitsApproval { until: Timestamp },
    #[error(
        "nobody decided about the request of {asked_at} in time, and it expired; the computer \
         waits for approval anew, until {until}"
    )]
    EnrolmentLapsed { asked_at: Timestamp, until: Timestamp },
    #[error("{by} refused to enrol this computer at {at}; ask there, or join with a token")]
    EnrolmentRefused { at: Timestamp, by: String },
    #[error(
        "too many computers ask to be enrolled, {waiting} wait for approval; ask again later, or \
         join with a token"
    )]
    TooManyAsk { waiting: u64 },
    #[error("{by} approved it at {at}; take it back with `tierline client remove`")]
    AdmittedAlready { at: Timestamp, by: String },
    #[error("only the top-level site {top} can do this; call it there with --server")]
    OnlyTop { top: String },
    #[error("site {here} issues nothing for site {site}; ask the primary site of {site}")]
    NotIssuer { here: SiteCode, site: SiteCode },
    #[error("a {} site joins no {} site: primaries join a central site, secondaries a primary",
        kind.as_str(), parent.as_str())]
    MayNotJoin { kind: SiteKind, parent: SiteKind },
    #[error("a {} site has no {what}; name another site", kind.as_str())]
    NoPlace { what: &'static str, kind: SiteKind },
    #[error("{caller} cannot have the certificate of {identity} renewed")]
    NoRelay { caller: PeerIdentity, identity: PeerIdentity },
    #[error("the certificate of {identity} was revoked; the machine must join again")]
    Revoked { identity: PeerIdentity },
    #[error("the intermediate of site {site} cannot be kept")]
    Keep {
        site: SiteCode,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the parent site answers: {message}")]
    Parent { class: ErrorClass, message: String },
    #[error("there is no link between {here} and {asked}; see `tierline replication status`")]
    NoLink { here: SiteCode, asked: SiteCode },
    #[error("there is no {what} {name}; see `{see}`")]
    Unknown { what: &'static str, name: String, see: &'static str },
    #[error("\"{name}\" is more than one {what}; name one of them by its id: {candidates}")]
    Ambiguous { what: &'static str, name: String, candidates: String },
    #[error("{name} is selected with {by}; unsubscribe {by}, and subscribe to parts of it")]
    SelectedAbove { name: String, by: String },
    #[error("these updates cannot be deployed: {updates}; {remedy}")]
    NotDeployable { updates: String, remedy: String },
    #[error("{stream} is not forked; there is nothing to resolve")]
    NotForked { stream: StreamId },
    #[error(
        "{what} belongs to site {owner}, and only its owner changes it; call {owner} with --server"
    )]
    ForeignOwner { what: String, owner: SiteCode },
    #[error("update group {group} is deployed by {deployment}; delete that deployment first")]
    Deployed { group: ObjectCode, deployment: DeploymentId },
    #[error("no package holds the files of these updates: {updates}; {remedy}")]
    NoContent { updates: String, remedy: &'static str },
    #[error(
        "package {package} holds the last copy of files that deployments need: {updates}; with \
         --force they go all the same, and computers get them only after they are downloaded again"
    )]
    LastCopy { package: ObjectCode, updates: String },
    #[error(
        "these are {count} updates, and a deployment has at most {max}; take some out, or have \
         several groups made with --split"
    )]
    TooManyUpdates { count: usize, max: u32 },
    #[error("there is a {what} \"{name}\" already; see `{see}`")]
    NameTaken { what: &'static str, name: String, see: &'static str },
    #[error(
        "update group {group} is filled by rule {rule}, whose runs exchange its updates; make a \
         group of its own for phases"
    )]
    RuledGroup { group: ObjectCode, rule: ObjectCode },
    #[error("phased deployment {code} is {state} and cannot be {verb}; see `tierline phased show`")]
    PhasedState { code: ObjectCode, state: &'static str, verb: &'static str },
    #[error(
        "phased deployment {code} would pause again at once: {reason}; raise the limit first: \
         `tierline phased change {code} --pause-above PERCENT`"
    )]
    StillFailing { code: ObjectCode, reason: String },
    #[error("{what} is kept by approvals; change those with `tierline approval`")]
    KeptByApprovals { what: String },
    #[error(transparent)]
    Query(#[from] query::Error),
    #[error("the collection would refer to itself: {way}; take one of these references away")]
    Circle { way: String },
    #[error("collection {code} is built in and stays as it is; make one that is limited to it")]
    BuiltIn { code: ObjectCode },
    #[error("{what} cannot be told yet: it waits for {missing}; ask again when that is here")]
    Untold { what: String, missing: String },
    #[error("{code} is a template and never runs; make a rule of it with --template")]
    TemplateRuns { code: ObjectCode },
    #[error("update group {group} belongs to phased deployment {phased}, which alone deploys it")]
    PhasedGroup { group: ObjectCode, phased: ObjectCode },
    #[error("{what} is used by {by}; {remedy}")]
    InUse { what: String, by: String, remedy: &'static str },
    #[error("boundary {code} already covers {scope}; put that one into the group")]
    SameBoundary { scope: String, code: ObjectCode },
    #[error(
        "{what}, and no window of the collection ever has room for that; make it longer, say that \
         the installation takes less with `tierline update-settings set`, or pass --force"
    )]
    NeverFits { what: String },
    #[error("compliance is being read since the server started; ask again in a moment")]
    Warming,
    #[error("the content library failed")]
    Content(#[from] content_library::Error),
    #[error(
        "the site server has no room for {name}; free some and publish again: what has arrived \
         stays for a day"
    )]
    NoRoom { name: String, source: Box<content_library::Error> },
    #[error("the signature cannot be made")]
    Sign(#[from] publishing::Error),
    #[error("the publisher's certificate cannot be kept")]
    KeepPublisher {
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("this server publishes nothing: it has no content library")]
    NoPublishing,
    #[error("{} is not an absolute path on the server's machine", path.display())]
    RelativePath { path: PathBuf },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Database(error) => error.class(),
            Error::Certificate(error) => error.class(),
            Error::Content(error) => error.class(),
            Error::Sign(error) => error.class(),
            Error::NoRoom { .. } => ErrorClass::Exhausted,
            Error::Parent { class, .. } => *class,
            Error::Query(error) => error.class(),
            Error::Invalid(_)
            | Error::Ambiguous { .. }
            | Error::MayNotJoin { .. }
            | Error::NoPlace { .. }
            | Error::RelativePath { .. } => ErrorClass::Invalid,
            Error::BuiltIn { .. }
            | Error::UnknownToken { .. }
            | Error::WrongKind { .. }
            | Error::WrongSite { .. }
            | Error::WrongParent { .. }
            | Error::Expired { .. }
            | Error::UsedByOther { .. }
            | Error::OnlyTop { .. }
            | Error::NotIssuer { .. }
            | Error::NoRelay { .. }
            | Error::NeedsToken { .. }
            | Error::EnrolmentRefused { .. }
            | Error::Revoked { .. }
            | Error::ForeignOwner { .. } => ErrorClass::Denied,
            Error::NoLink { .. } | Error::Unknown { .. } => ErrorClass::NotFound,
            Error::SelectedAbove { .. }
            | Error::NotDeployable { .. }
            | Error::NotForked { .. }
            | Error::NoContent { .. }
            | Error::LastCopy { .. }
            | Error::TooManyUpdates { .. }
            | Error::NameTaken { .. }
            | Error::KeptByApprovals { .. }
            | Error::RuledGroup { .. }
            | Error::PhasedState { .. }
            | Error::StillFailing { .. }
            | Error::Deployed { .. }
            | Error::Circle { .. }
            | Error::TemplateRuns { .. }
            | Error::PhasedGroup { .. }
            | Error::AdmittedAlready { .. }
            | Error::InUse { .. }
            | Error::NeverFits { .. }
            | Error::SameBoundary { .. } => ErrorClass::Conflict,
            Error::Keep { .. }
            | Error::KeepPublisher { .. }
            | Error::NoPublishing
            | Error::Untold { .. }
            | Error::AwaitsApproval { .. }
            | Error::EnrolmentLapsed { .. }
            | Error::Warming => ErrorClass::Unavailable,
            Error::TooManyAsk { .. } => ErrorClass::Exhausted,
        }
    }

    pub(crate) fn wrong_kind(
        given: (PeerKind, Option<SiteKind>),
        asked: (PeerKind, Option<SiteKind>),
    ) -> Error {
        let text = |(kind, site): (PeerKind, Option<SiteKind>)| match site {
            Some(site) => format!("{} site", site.as_str()),
            None => kind.as_str().to_owned(),
        };
        Error::WrongKind { given: text(given), asked: text(asked) }
    }
}

impl From<site_db::EngineError> for Error {
    fn from(error: site_db::EngineError) -> Error {
        Error::Database(error.into())
    }
}
