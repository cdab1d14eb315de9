//! `tierline package`, `dp` and `content`: files, and where they are.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;
use crate::waiting::{Events, Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Package {
    /// Makes a package of the server's site
    #[command(after_help = "Example:\n  tierline package create May")]
    Create {
        name: String,
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
    },
    /// The packages the server knows
    #[command(after_help = "Example:\n  tierline package list")]
    List,
    /// One package, its files, and where it is
    #[command(after_help = "Example:\n  tierline package show CAS00001")]
    Show { code: String },
    /// Fetches the files of updates into a package
    #[command(after_help = "Example:\n  \
        tierline package download CAS00001 --group CAS00001 --wait")]
    Download {
        code: String,
        /// The updates of an update group
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        #[arg(required_unless_present = "updates")]
        group: String,
        /// An update by id; may be given several times
        #[arg(long = "update", value_name = "ID")]
        updates: Vec<String>,
        /// Waits until the package holds them all
        #[arg(long)]
        wait: bool,
    },
    /// Sends a package to distribution points
    #[command(after_help = "Example:\n  tierline package distribute CAS00001 --dp PR1-DP --wait")]
    Distribute {
        code: String,
        /// Id or name; may be given several times [default: all at and below the site]
        #[arg(long = "dp", value_name = "DP")]
        points: Vec<String>,
        /// Waits until it is installed on all of them
        #[arg(long)]
        wait: bool,
    },
    /// Has its distribution points compute all digests again and fetch what they lack
    #[command(after_help = "Example:\n  tierline package redistribute CAS00001")]
    Redistribute { code: String },
    /// Takes the files of updates out of a package
    #[command(after_help = "Example:\n  \
        tierline package remove CAS00001 --update 5c6e1d3a-0000-4000-8000-000000000002")]
    Remove {
        code: String,
        /// The updates of an update group
        #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
        #[arg(required_unless_present = "updates")]
        group: String,
        /// An update by id; may be given several times
        #[arg(long = "update", value_name = "ID")]
        updates: Vec<String>,
        /// Also the last copy of what deployments need
        #[arg(long)]
        force: bool,
    },
    /// Deletes a package; files stay where another package needs them
    #[command(after_help = "Example:\n  tierline package delete CAS00001")]
    Delete {
        code: String,
        /// Also the last copy of what deployments need
        #[arg(long)]
        force: bool,
    },
}

impl Package {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Package::Create { name, description } => {
                desk.show(pb::CreatePackageRequest { name, description }).await
            }
            Package::List => desk.show(pb::ListPackagesRequest {}).await,
            Package::Show { code } => desk.show(pb::GetPackageRequest { code }).await,
            Package::Download { code, group, updates, wait } => {
                let request = pb::DownloadPackageRequest { code: code.clone(), group, updates };
                if !wait {
                    return desk.show(request).await;
                }
                desk.call(&request).await?;
                wait_until_downloaded(desk, code).await
            }
            Package::Distribute { code, points, wait } => {
                let request = pb::DistributePackageRequest { code: code.clone(), points };
                if !wait {
                    return desk.show(request).await;
                }
                desk.call(&request).await?;
                wait_until_installed(desk, code).await
            }
            Package::Redistribute { code } => {
                desk.show(pb::RedistributePackageRequest { code }).await
            }
            Package::Remove { code, group, updates, force } => {
                desk.show(pb::RemoveFromPackageRequest { code, group, updates, force }).await
            }
            Package::Delete { code, force } => {
                desk.show(pb::DeletePackageRequest { code, force }).await
            }
        }
    }
}

async fn wait_until_downloaded(desk: &Desk, code: String) -> Outcome {
    let look = |package: &pb::GetPackageResponse| match package.missing_files.as_slice() {
        [] => Look::Done,
        [first, ..] => {
            let count = package.missing_files.len();
            Look::Going(format!("{count} files; {} {}", first.name, first.reason))
        }
    };
    wait(desk, Events::Texts, &pb::GetPackageRequest { code }, look).await?;
    Ok(ExitCode::SUCCESS)
}

async fn wait_until_installed(desk: &Desk, package: String) -> Outcome {
    let look = |status: &pb::GetContentStatusResponse| {
        let open = status.rows.iter().filter(|row| !row.verified);
        let open: Vec<_> =
            open.map(|row| format!("{} {} {}", row.dp, row.state, row.reason)).collect();
        if open.is_empty() { Look::Done } else { Look::Going(open.join("; ")) }
    };
    wait(desk, Events::Texts, &pb::GetContentStatusRequest { package }, look).await?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Content {
    /// Where packages are
    #[command(after_help = "Example:\n  tierline content status CAS00001 -o json")]
    Status {
        /// One package [default: all]
        #[arg(default_value = "", hide_default_value = true)]
        package: String,
    },
}

impl Content {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Content::Status { package } = self;
        desk.show(pb::GetContentStatusRequest { package }).await
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dp {
    /// Distribution points and how many packages they hold
    #[command(after_help = "Example:\n  tierline dp list")]
    List,
    /// One distribution point and its packages
    #[command(after_help = "Example:\n  tierline dp show PR1-DP")]
    Show {
        /// Id or name
        point: String,
    },
}

impl Dp {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Dp::List => desk.show(pb::ListDistributionPointsRequest {}).await,
            Dp::Show { point } => desk.show(pb::GetDistributionPointRequest { point }).await,
        }
    }
}
