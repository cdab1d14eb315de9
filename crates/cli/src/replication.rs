//! `tierline replication`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::{Answer, Desk};
use crate::failure::Failure;
use crate::output::{Format, Part};

/// Between two looks of `--wait`.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Status { wait: false } => {
                desk.show("GetReplicationStatus", &pb::GetReplicationStatusRequest {}).await
            }
            Verb::Status { wait: true } => wait(desk).await,
            Verb::Show { link: neighbor } => {
                desk.show("GetReplicationLink", &pb::GetReplicationLinkRequest { neighbor }).await
            }
            Verb::Verify => verify(desk).await,
            Verb::Resolve { stream, keep } => {
                desk.show("ResolveStream", &pb::ResolveStreamRequest { stream, keep }).await
            }
        }
    }
}

async fn verify(desk: &Desk) -> Outcome {
    let answer = desk.call("VerifyReplication", &pb::VerifyReplicationRequest {}).await?;
    desk.print(&answer, Part::Whole)?;
    let rows = answer.read::<pb::VerifyReplicationResponse>().rows;
    let sound = rows.iter().all(|row| row.result == "ok");
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells each change on the way; the end is told like `status` without waiting.
async fn wait(desk: &Desk) -> Outcome {
    let mut told = Vec::new();
    loop {
        let answer = desk.call("GetReplicationStatus", &pb::GetReplicationStatusRequest {}).await?;
        let links = answer.read::<pb::GetReplicationStatusResponse>().rows;
        if links.iter().all(|link| link.state == "active" && link.lag_changes == 0) {
            desk.print(
                &answer,
                if desk.format == Format::Json { Part::More } else { Part::Whole },
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        if links != told {
            tell(desk, &answer, &links)?;
            told = links;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn tell(desk: &Desk, answer: &Answer, links: &[pb::ReplicationLink]) -> Result<(), Failure> {
    if desk.format == Format::Json {
        return desk.print(answer, Part::More);
    }
    let text = |link: &pb::ReplicationLink| {
        format!("{} {}, {} to go", link.neighbor, link.state, link.lag_changes)
    };
    eprintln!("waiting: {}", links.iter().map(text).collect::<Vec<_>>().join("; "));
    Ok(())
}
