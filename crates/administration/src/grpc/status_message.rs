//! Status messages.

use futures_util::stream::try_unfold;
use model::{Group, Invalid, Severity};
use rpc::convert::{read_time, wire_time};
use rpc::pb::admin as pb;
use site_db::{Reader, StatusFilter};
use tonic::Status;

use super::{Answer, Answers, given};
use crate::Error;
use crate::admin::View;

/// What somebody reads on a screen.
const ROWS: usize = 200;

/// About a megabyte; whoever wants more asks from another time on.
const ROWS_MAX: usize = 5_000;

const SEVERITIES: [Severity; 4] =
    [Severity::Information, Severity::Warning, Severity::Error, Severity::Audit];

pub(super) fn list(
    v: &View<'_>,
    asked: pb::ListStatusMessagesRequest,
) -> Answer<Vec<pb::StatusMessage>> {
    let (filter, limit) = read_filter(asked)?;
    Ok(page(v, &filter, limit)?.0)
}

/// What is there, then what arrives. Ends with the connection.
pub(super) fn follow(
    v: &View<'_>,
    asked: pb::FollowStatusMessagesRequest,
) -> Answer<Answers<pb::FollowStatusMessagesResponse>> {
    let (filter, limit) = read_filter(asked.filter.unwrap_or_default())?;
    // Subscribed before the first read, so that nothing falls in between.
    let (db, changes) = (v.admin.db.clone(), v.admin.db.watch(&[Group::Status]));
    let start = (changes, filter, limit);
    Ok(Box::pin(try_unfold(start, move |(mut changes, mut filter, mut limit)| {
        let db = db.clone();
        async move {
            loop {
                let asked = filter.clone();
                let (rows, last) = db.read(move |r| page(r, &asked, limit)).await?;
                (filter.after, limit) = (last, ROWS_MAX);
                if !rows.is_empty() {
                    let answer = pb::FollowStatusMessagesResponse { rows };
                    return Ok::<_, Status>(Some((answer, (changes, filter, limit))));
                }
                changes.changed().await;
            }
        }
    })))
}

/// Rows, and the last one's place in the log.
fn page(
    r: &Reader<'_>,
    filter: &StatusFilter,
    limit: usize,
) -> Result<(Vec<pb::StatusMessage>, i64), Error> {
    let found = r.status_messages(filter, limit)?;
    let last = found.last().map_or(filter.after, |(lsn, _)| *lsn);
    Ok((found.into_iter().map(|(_, message)| message_row(message)).collect(), last))
}

fn read_filter(message: pb::ListStatusMessagesRequest) -> Result<(StatusFilter, usize), Error> {
    let pb::ListStatusMessagesRequest { component, severity, since, site, limit } = message;
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
