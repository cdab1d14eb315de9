//! Status messages.

use futures_util::stream::try_unfold;
use model::{Group, Invalid, Severity};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::StatusFilter;
use tonic::Status;

use super::Answers;
use crate::admin::Call;
use crate::{Admin, Error};

/// What somebody reads on a screen.
const ROWS: usize = 200;

/// About a megabyte; whoever wants more asks from another time on.
const ROWS_MAX: usize = 5_000;

const SEVERITIES: [Severity; 4] =
    [Severity::Information, Severity::Warning, Severity::Error, Severity::Audit];

pub(super) async fn list(
    admin: &Admin,
    call: Call<pb::ListStatusMessagesRequest>,
) -> Result<pb::ListStatusMessagesResponse, Error> {
    let (filter, limit) = read_filter(call.message)?;
    let (rows, _) = page(admin, filter, limit).await?;
    Ok(pb::ListStatusMessagesResponse { rows })
}

/// What is there, then what arrives. Ends with the connection.
pub(super) async fn follow(
    admin: &Admin,
    call: Call<pb::FollowStatusMessagesRequest>,
) -> Result<Answers<pb::FollowStatusMessagesResponse>, Error> {
    let (filter, limit) = read_filter(call.message.filter.unwrap_or_default())?;
    // Subscribed before the first read, so that nothing falls in between.
    let changes = admin.db.watch(&[Group::Status]);
    let start = (admin.clone(), changes, filter, Some(limit));
    Ok(Box::pin(try_unfold(start, |(admin, mut changes, mut filter, first)| async move {
        let mut limit = first.unwrap_or(ROWS_MAX);
        loop {
            let (rows, last) = page(&admin, filter.clone(), limit).await?;
            filter.after = last;
            if !rows.is_empty() {
                let answer = pb::FollowStatusMessagesResponse { rows };
                return Ok::<_, Status>(Some((answer, (admin, changes, filter, None))));
            }
            limit = ROWS_MAX;
            changes.changed().await;
        }
    })))
}

/// Rows, and the last one's place in the log.
async fn page(
    admin: &Admin,
    filter: StatusFilter,
    limit: usize,
) -> Result<(Vec<pb::StatusMessage>, i64), Error> {
    let after = filter.after;
    let found = admin.db.read(move |r| r.status_messages(&filter, limit)).await?;
    let last = found.last().map_or(after, |(lsn, _)| *lsn);
    Ok((found.into_iter().map(|(_, message)| message_row(message)).collect(), last))
}

fn read_filter(message: pb::ListStatusMessagesRequest) -> Result<(StatusFilter, usize), Error> {
    let pb::ListStatusMessagesRequest { component, severity, since, site, limit } = message;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let parse = |text: String| {
        let known = SEVERITIES.into_iter().find(|severity| severity.as_str() == text);
        known.ok_or_else(|| Invalid::new("severity", format!("there is no severity \"{text}\"")))
    };
    let filter = StatusFilter {
        component: given(component),
        severity: given(severity).map(parse).transpose()?,
        since: since.map(read_time).transpose()?,
        site: given(site).map(|site| site.parse()).transpose()?,
        after: 0,
    };
    let limit = usize::try_from(limit).unwrap_or(ROWS_MAX);
    Ok((filter, if limit == 0 { ROWS } else { limit.min(ROWS_MAX) }))
}

fn message_row(message: model::StatusMessage) -> pb::StatusMessage {
    let model::StatusMessage { id, severity, component, site, machine, at, strings } = message;
    pb::StatusMessage {
        at: Some(wire_time(at)),
        site: site.to_string(),
        component,
        severity: severity.as_str().to_owned(),
        id,
        machine,
        strings,
    }
}
