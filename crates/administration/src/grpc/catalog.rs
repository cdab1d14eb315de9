//! Catalog files of publishers, on their way to the first update point.

use model::Invalid;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;
use site_db::{ImportReport, Writer};

use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

pub(super) async fn import(
    admin: &Admin,
    call: Call<pb::ImportCatalogRequest>,
) -> Result<pb::ImportCatalogResponse, Error> {
    let account = call.account();
    let pb::ImportCatalogRequest { id, name, part, data, last } = call.message;
    if data.len() > IMPORT_PART_BYTES {
        let reason = format!("{} bytes, at most {IMPORT_PART_BYTES}", data.len());
        return Err(Invalid::new("data", reason).into());
    }
    let take = move |w: &Writer<'_>| {
        let id = if part == 0 { w.begin_import(&name)? } else { id };
        w.add_import_part(id, part, &data)?;
        if last {
            w.end_import(id, part + 1)?;
            audit(w, &account, Deed::Ran, format!("import of {name}"))?;
        }
        Ok::<_, Error>(id)
    };
    let id = admin.db.write(take).await?;
    Ok(pb::ImportCatalogResponse { id })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetCatalogImportRequest>,
) -> Result<pb::GetCatalogImportResponse, Error> {
    let id = call.message.id;
    let Some(report) = admin.db.read(move |r| r.import_report(id)).await? else {
        return Ok(pb::GetCatalogImportResponse::default());
    };
    let ImportReport { imported, unchanged, rejected, revised, refused } = report;
    let done = true;
    Ok(pb::GetCatalogImportResponse { done, imported, unchanged, rejected, revised, refused })
}
