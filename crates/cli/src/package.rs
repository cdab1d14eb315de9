//! `tierline package`.

use std::process::ExitCode;

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;
use crate::output::Part;
use crate::waiting::{Look, wait};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a package of the server's site
    #[command(after_help = "Example:\n  tierline package create May")]
    Create { name: String },
    /// The packages the server knows
    #[command(after_help = "Example:\n  tierline package list")]
    List,
    /// One package, its files, and where it is
    #[command(after_help = "Example:\n  tierline package show CAS00001")]
    Show { code: String },
    /// Fetches the files of updates into a package
    #[command(
        after_help = "Example:\n  tierline package download CAS00001 --group CAS00001 --wait"
    )]
    Download {
        code: String,
        /// The updates of an update group
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "CODE",
            required_unless_present = "updates"
        )]
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
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Verb::Create { name } => {
                desk.show("CreatePackage", &pb::CreatePackageRequest { name }).await
            }
            Verb::List => desk.show("ListPackages", &pb::ListPackagesRequest {}).await,
            Verb::Show { code } => desk.show("GetPackage", &pb::GetPackageRequest { code }).await,
            Verb::Download { code, group, updates, wait } => {
                let request = pb::DownloadPackageRequest { code: code.clone(), group, updates };
                if !wait {
                    return desk.show("DownloadPackage", &request).await;
                }
                desk.call("DownloadPackage", &request).await?;
                downloaded(desk, code).await
            }
            Verb::Distribute { code, points, wait } => {
                let request = pb::DistributePackageRequest { code: code.clone(), points };
                if !wait {
                    return desk.show("DistributePackage", &request).await;
                }
                desk.call("DistributePackage", &request).await?;
                installed(desk, code).await
            }
        }
    }
}

async fn downloaded(desk: &Desk, code: String) -> Outcome {
    let look = |package: &pb::GetPackageResponse| match package.missing_files.as_slice() {
        [] => Look::Done,
        [first, ..] => {
            let count = package.missing_files.len();
            Look::Going(format!("{count} files; {} {}", first.name, first.reason))
        }
    };
    let answer = wait(desk, ("GetPackage", &pb::GetPackageRequest { code }), look).await?;
    desk.print(&answer, Part::Whole)?;
    Ok(ExitCode::SUCCESS)
}

async fn installed(desk: &Desk, package: String) -> Outcome {
    let look = |status: &pb::GetContentStatusResponse| {
        let open = status.rows.iter().filter(|row| !row.verified);
        let open: Vec<_> =
            open.map(|row| format!("{} {} {}", row.dp, row.state, row.reason)).collect();
        if open.is_empty() { Look::Done } else { Look::Going(open.join("; ")) }
    };
    let request = pb::GetContentStatusRequest { package };
    let answer = wait(desk, ("GetContentStatus", &request), look).await?;
    desk.print(&answer, Part::Whole)?;
    Ok(ExitCode::SUCCESS)
}
