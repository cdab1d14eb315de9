//! `tierline catalog`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::{Answer, Desk};
use crate::failure::Failure;
use crate::output::Part;
use crate::waiting::{Look, wait};

/// Some of it was done (contract of exit codes).
const PARTLY: u8 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Hands catalog files (SDP, or SCUP as cab, zip or xml) to the first update point of the
    /// top-level site; the next synchronization brings their updates
    #[command(after_help = "Example:\n  tierline catalog import VendorCatalog.cab")]
    Import {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let Verb::Import { files } = self;
        let (mut taken, mut left_out) = (0, 0);
        for path in &files {
            let answer = import(desk, path).await?;
            desk.print(&answer, Part::Whole)?;
            let report = answer.read::<pb::GetCatalogImportResponse>();
            taken += usize::from(report.refused.is_empty());
            left_out += usize::from(!report.refused.is_empty()) + report.rejected.len();
        }
        Ok(match (taken, left_out) {
            (_, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::FAILURE,
            _ => ExitCode::from(PARTLY),
        })
    }
}

/// Sends a file in parts and waits for what became of it.
async fn import(desk: &Desk, path: &Path) -> Result<Answer, Failure> {
    let place = path.display().to_string();
    let failed = |error: std::io::Error| {
        Failure::new(error.to_string(), place.clone(), "name a file that can be read")
    };
    let mut file = File::open(path).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut id, mut part) = (0, 0);
    let mut data = read_part(&mut file).map_err(failed)?;
    loop {
        let next = read_part(&mut file).map_err(failed)?;
        let last = next.is_empty();
        let request = pb::ImportCatalogRequest { id, name: name.clone(), part, data, last };
        let answer = desk.call("ImportCatalog", &request).await?;
        id = answer.read::<pb::ImportCatalogResponse>().id;
        if last {
            break;
        }
        (data, part) = (next, part + 1);
    }
    let look = |import: &pb::GetCatalogImportResponse| match import.done {
        true => Look::Done,
        false => Look::Going(format!("{name} is with the update point")),
    };
    wait(desk, ("GetCatalogImport", &pb::GetCatalogImportRequest { id }), look).await
}

fn read_part(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    file.take(IMPORT_PART_BYTES as u64).read_to_end(&mut data)?;
    Ok(data)
}
