//! A bundle into a file: part by part, aside, and renamed when it is whole.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rpc::pb::admin as pb;

use super::name_of;
use crate::desk::{Answer, Desk};
use crate::failure::Failure;
use crate::output::Part;
use crate::{Outcome, PARTLY};

/// Between two questions for a part that is not here yet.
const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn export(desk: &Desk, file: &Path, asked: pb::ExportCatalogRequest) -> Outcome {
    let mut aside = file.as_os_str().to_owned();
    aside.push(".part");
    let aside = PathBuf::from(aside);
    let written = write(desk, &aside, asked).await;
    let (made, missing) = match written {
        Ok(written) => written,
        Err(failure) => {
            // It may not have been made.
            let _ = fs::remove_file(&aside);
            return Err(failure);
        }
    };
    fs::rename(&aside, file).map_err(|error| unwritable(&error, file))?;
    let made = pb::CatalogBundle { file: name_of(file), ..made };
    desk.print(&Answer::of(&made), Part::Whole)?;
    for reason in &missing {
        eprintln!("a license text is missing: {reason}");
    }
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(PARTLY) })
}

/// Writes the bundle and says what it is and what is missing in it.
async fn write(
    desk: &Desk,
    path: &Path,
    asked: pb::ExportCatalogRequest,
) -> Result<(pb::CatalogBundle, Vec<String>), Failure> {
    let mut file = File::create(path).map_err(|error| unwritable(&error, path))?;
    let id = desk.call(&asked).await?.read::<pb::ExportCatalogResponse>().id;
    let mut part = 0;
    loop {
        let answer = desk.call(&pb::GetCatalogExportRequest { id, part }).await?;
        let taken: pb::GetCatalogExportResponse = answer.read();
        if !taken.failure.is_empty() {
            let remedy = "export again once that is repaired; `tierline sync status` helps";
            return Err(Failure::new(taken.failure, "the export", remedy));
        }
        if taken.data.is_empty() {
            tokio::time::sleep(ASK_EVERY).await;
            continue;
        }
        file.write_all(&taken.data).map_err(|error| unwritable(&error, path))?;
        part += 1;
        if taken.last {
            file.sync_all().map_err(|error| unwritable(&error, path))?;
            return Ok((taken.bundle.unwrap_or_default(), taken.missing));
        }
    }
}

fn unwritable(error: &std::io::Error, path: &Path) -> Failure {
    Failure::new(error.to_string(), path.display().to_string(), "name a file that can be written")
}
