//! `tierline site`, `role` and `replication`: what the hierarchy is made of.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::arguments::Valid;
use crate::desk::Desk;
use crate::output::Part;
use crate::waiting::{Events, Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Site {
    /// Every site and how its link to the server is
    #[command(after_help = "Example:\n  tierline site status -o json")]
    Status,
    /// The sites of the hierarchy
    #[command(after_help = "Example:\n  tierline site list")]
    List,
    /// One site and its roles
    #[command(after_help = "Example:\n  tierline site show PR1")]
    Show { code: String },
    /// Makes the token with which a site joins; asked of the top-level site
    #[command(after_help = "Example:\n  tierline site token PR1\n  \
        tierline site token SE1 --kind secondary --parent PR1")]
    Token {
        /// The new site's code: three characters A-Z and 0-9
        code: String,
        #[arg(long, value_parser = ["primary", "secondary"], default_value = "primary")]
        kind: String,
        /// The primary that a secondary joins [default: the server]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        parent: String,
        #[command(flatten)]
        valid: Valid,
    },
}

impl Site {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Site::Status => desk.show(pb::GetSiteStatusRequest {}).await,
            Site::List => desk.show(pb::ListSitesRequest {}).await,
            Site::Show { code } => desk.show(pb::GetSiteRequest { code }).await,
            Site::Token { code, kind, parent, valid: Valid { valid_seconds } } => {
                desk.show(pb::CreateSiteTokenRequest { code, kind, parent, valid_seconds }).await
            }
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The site system roles of the hierarchy
    #[command(after_help = "Example:\n  tierline role list -o csv")]
    List,
    /// Makes the token with which a role joins a site
    #[command(after_help = "Example:\n  tierline role token dp --site SE1")]
    Token {
        #[arg(value_parser = ["sup", "mp", "dp"])]
        kind: String,
        /// The role's site [default: the server's]
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        site: String,
        #[command(flatten)]
        valid: Valid,
    },
    /// Takes a role out of the hierarchy and revokes its certificate
    #[command(after_help = "Example:\n  tierline role remove \
        01939c3e-7f00-7000-8000-000000000001 --reason \"replaced\"")]
    Remove {
        id: String,
        /// Why, for the record
        #[arg(long, default_value = "removed")]
        reason: String,
    },
}

impl Role {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Role::List => desk.show(pb::ListRolesRequest {}).await,
            Role::Token { kind, site, valid: Valid { valid_seconds } } => {
                desk.show(pb::CreateRoleTokenRequest { kind, site, valid_seconds }).await
            }
            Role::Remove { id, reason } => desk.show(pb::RemoveRoleRequest { id, reason }).await,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Replication {
    /// The links of the server
    #[command(after_help = "Example:\n  tierline replication status --wait --timeout 5m")]
    Status {
        /// Waits until every link is active and nothing is left to send
        #[arg(long)]
        wait: bool,
    },
    /// The streams that travel over one link
    #[command(after_help = "Example:\n  tierline replication show PR1")]
    Show {
        /// The neighbor's code
        link: String,
    },
    /// Recomputes every stream and compares it with the neighbors; fails if one is not sound
    #[command(after_help = "Example:\n  tierline replication verify -o json")]
    Verify,
    /// Decides a fork at the stream's owner
    #[command(after_help = "Example:\n  tierline replication resolve control/PR1 --keep replica")]
    Resolve {
        /// Group and owner
        stream: String,
        /// Whose history stays
        #[arg(long, value_parser = ["owner", "replica"])]
        keep: String,
    },
}

impl Replication {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Replication::Status { wait: false } => {
                desk.show(pb::GetReplicationStatusRequest {}).await
            }
            Replication::Status { wait: true } => wait_until_active(desk).await,
            Replication::Show { link: neighbor } => {
                desk.show(pb::GetReplicationLinkRequest { neighbor }).await
            }
            Replication::Verify => verify(desk).await,
            Replication::Resolve { stream, keep } => {
                desk.show(pb::ResolveStreamRequest { stream, keep }).await
            }
        }
    }
}

async fn verify(desk: &Desk) -> Outcome {
    let answer = desk.call(&pb::VerifyReplicationRequest {}).await?;
    desk.print(&answer, Part::Whole)?;
    let rows = answer.read::<pb::VerifyReplicationResponse>().rows;
    let sound = rows.iter().all(|row| row.result == "ok");
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells each change on the way; the end is told like `status` without waiting.
async fn wait_until_active(desk: &Desk) -> Outcome {
    let text = |link: &pb::ReplicationLink| {
        format!("{} {}, {} to go", link.neighbor, link.state, link.lag_changes)
    };
    let look = |status: &pb::GetReplicationStatusResponse| {
        if status.rows.iter().all(|link| link.state == "active" && link.lag_changes == 0) {
            return Look::Done;
        }
        Look::Going(status.rows.iter().map(text).collect::<Vec<_>>().join("; "))
    };
    wait(desk, Events::Rows, &pb::GetReplicationStatusRequest {}, look).await?;
    Ok(ExitCode::SUCCESS)
}
