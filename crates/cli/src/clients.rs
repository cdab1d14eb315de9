//! `tierline client` and `compliance`: computers, and what they say of their updates.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::Valid;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// The managed computers of the site and the sites below it
    #[command(after_help = "Example:\n  tierline client list --name web \
        --where 'domain = \"corp.example\"' -o csv")]
    List {
        /// Only computers with this in their name
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Only computers that a query means
        #[arg(long = "where", value_name = "QUERY", default_value = "", hide_default_value = true)]
        query: String,
    },
    /// One managed computer
    #[command(after_help = "Example:\n  \
        tierline client show 01939c3e-7f00-7000-8000-000000000001 --inventory -o json")]
    Show {
        id: String,
        /// What it is made of and what is installed on it, instead of its record
        #[arg(long)]
        inventory: bool,
    },
    /// Makes the token with which a computer joins a primary site
    #[command(after_help = "Example:\n  tierline client token --url https://mp1.example:7441")]
    Token {
        /// The primary site [default: the server's]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        /// The management point to join through [default: the site server]
        #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
        url: String,
        #[command(flatten)]
        valid: Valid,
    },
    /// What computers are given that shall ask for approval instead of joining with a token
    #[command(after_help = "Example:\n  tierline client invitation --url https://mp1.example:7441")]
    Invitation {
        /// The primary site [default: the server's]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        /// The management point they ask [default: the site server]
        #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
        url: String,
    },
    /// Computers that asked the server's site to be enrolled
    #[command(after_help = "Example:\n  tierline client pending -o json")]
    Pending,
    /// Enrols a computer whose key has this fingerprint, as the computer itself shows it
    #[command(after_help = "Example:\n  \
        tierline client approve 3f2a-91c0-0b7e-55d4-1c29-e4a8-7760-2f93")]
    Approve { fingerprint: String },
    /// Refuses to enrol a computer
    #[command(after_help = "Example:\n  \
        tierline client refuse 3f2a-91c0-0b7e-55d4-1c29-e4a8-7760-2f93")]
    Refuse { fingerprint: String },
    /// Makes computers of the server's site scan now
    #[command(after_help = "Example:\n  tierline client scan")]
    Scan {
        /// Which computers [default: all]
        ids: Vec<String>,
    },
    /// Makes computers of the server's site say everything again
    #[command(after_help = "Example:\n  tierline client refresh \
        01939c3e-7f00-7000-8000-000000000001")]
    Refresh {
        /// Which computers [default: all]
        ids: Vec<String>,
    },
    /// Forgets a computer and revokes its certificate
    #[command(after_help = "Example:\n  tierline client remove \
        01939c3e-7f00-7000-8000-000000000001 --reason \"sold\"")]
    Remove {
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "removed")]
        reason: String,
    },
}

impl Client {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Client::List { name, query } => {
                desk.show(pb::ListClientsRequest { name, r#where: query }).await
            }
            Client::Show { id, inventory: false } => desk.show(pb::GetClientRequest { id }).await,
            Client::Show { id, inventory: true } => desk.show(pb::GetInventoryRequest { id }).await,
            Client::Token { site, url, valid: Valid { valid_seconds } } => {
                desk.show(pb::CreateClientTokenRequest { site, valid_seconds, url }).await
            }
            Client::Invitation { site, url } => {
                desk.show(pb::GetClientInvitationRequest { site, url }).await
            }
            Client::Pending => desk.show(pb::ListPendingClientsRequest {}).await,
            Client::Approve { fingerprint } => {
                desk.show(pb::ApproveClientRequest { fingerprint }).await
            }
            Client::Refuse { fingerprint } => {
                desk.show(pb::RefuseClientRequest { fingerprint }).await
            }
            Client::Scan { ids } => desk.show(pb::ScanClientsRequest { ids }).await,
            Client::Refresh { ids } => desk.show(pb::RefreshClientsRequest { ids }).await,
            Client::Remove { id, reason } => {
                desk.show(pb::RemoveClientRequest { id, reason }).await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Compliance {
    /// How far everything is
    #[command(after_help = "Example:\n  tierline compliance summary")]
    Summary,
    /// Clients by their state for an update
    #[command(after_help = "Example:\n  \
        tierline compliance update 5c6e1d3a-0000-4000-8000-000000000001")]
    Update { id: String },
    /// Updates by their state on a client
    #[command(after_help = "Example:\n  \
        tierline compliance client 01939c3e-7f00-7000-8000-000000000001")]
    Client { id: String },
    /// The updates of a group
    #[command(after_help = "Example:\n  tierline compliance group CAS00001 -o csv")]
    Group { code: String },
    /// The targets of a deployment
    #[command(after_help = "Example:\n  \
        tierline compliance deployment 01939c3e-7f00-7000-8000-000000000002")]
    Deployment { id: String },
    /// The deployments to a collection
    #[command(after_help = "Example:\n  tierline compliance collection SMS00001")]
    Collection { code: String },
}

impl Compliance {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Compliance::Summary => desk.show(pb::GetComplianceSummaryRequest {}).await,
            Compliance::Update { id } => desk.show(pb::GetUpdateComplianceRequest { id }).await,
            Compliance::Client { id } => desk.show(pb::GetClientComplianceRequest { id }).await,
            Compliance::Group { code } => desk.show(pb::GetGroupComplianceRequest { code }).await,
            Compliance::Deployment { id } => {
                desk.show(pb::GetDeploymentComplianceRequest { id }).await
            }
            Compliance::Collection { code } => {
                desk.show(pb::GetCollectionComplianceRequest { code }).await
            }
        }
    }
}
