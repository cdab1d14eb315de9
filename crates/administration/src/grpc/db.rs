//! The site database.

use std::path::PathBuf;

use rpc::pb::admin as pb;
use site_db::check_all;

use super::Answer;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

pub(super) async fn check(
    admin: &Admin,
    _: (String, pb::CheckDatabaseRequest),
) -> Answer<Vec<pb::DatabaseProblem>> {
    let mut problems = admin.db.check_file().await?;
    let damaged = check_all(&admin.db).await?.into_iter().filter(|check| !check.is_sound());
    problems.extend(damaged.map(|check| {
        format!("stream {} is damaged; replication takes it again by itself", check.stream)
    }));
    let row = |problem| pb::DatabaseProblem { problem };
    Ok(problems.into_iter().map(row).collect())
}

pub(super) async fn backup(
    admin: &Admin,
    (account, asked): (String, pb::BackUpDatabaseRequest),
) -> Answer<String> {
    let file = asked.file;
    let path = PathBuf::from(&file);
    if !path.is_absolute() {
        return Err(Error::RelativePath { path });
    }
    admin.db.backup(&path).await?;
    let object = format!("backup to {file}");
    admin.db.write(move |w| audit(w, &account, Deed::Ran, object)).await?;
    Ok(file)
}
