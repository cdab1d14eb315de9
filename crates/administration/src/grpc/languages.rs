//! In which languages texts are kept (at the top), and for which files are fetched (at each update
//! point of the server's site).

use model::{Invalid, Languages, RoleRecord};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::Answer;
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

pub(super) fn show(
    v: &View<'_>,
    _: pb::GetSyncLanguagesRequest,
) -> Answer<pb::GetSyncLanguagesResponse> {
    let (summary, rows) = stand(v)?;
    Ok(pb::GetSyncLanguagesResponse { summary, rows })
}

pub(super) fn set(
    c: &Change<'_>,
    asked: pb::SetSyncLanguagesRequest,
) -> Answer<pb::SetSyncLanguagesResponse> {
    let pb::SetSyncLanguagesRequest { summary, files, update_point } = asked;
    if summary.is_none() && files.is_none() {
        let reason = "choose --summary, --files or both";
        return Err(Invalid::new("languages", reason).into());
    }
    if let Some(choice) = summary {
        let languages = read(&choice)?;
        c.set_summary_languages(languages)?;
        c.audit(Deed::Changed, format!("summary languages to \"{languages}\""))?;
    }
    if let Some(choice) = files {
        let languages = read(&choice)?;
        for point in named(c, &update_point)? {
            c.set_file_languages(point.id, languages)?;
            let what = format!("file languages of {} to \"{languages}\"", point.name);
            c.audit(Deed::Changed, what)?;
        }
    }
    let (summary, rows) = stand(c)?;
    Ok(pb::SetSyncLanguagesResponse { summary, rows })
}

type Stand = (Option<pb::LanguageChoice>, Vec<pb::PointLanguages>);

fn stand(r: &Reader<'_>) -> Answer<Stand> {
    let choice = |languages: Languages| Some(pb::LanguageChoice { languages: languages.tags() });
    let summary = match r.identity().is_top() {
        true => r.summary_languages()?,
        false => r.catalog_version()?.map(|catalog| catalog.languages).unwrap_or_default(),
    };
    let rows = points(r)?.into_iter().map(|point| {
        let files = choice(r.file_languages(point.id)?);
        Ok(pb::PointLanguages { update_point: point.name, files })
    });
    Ok((choice(summary), rows.collect::<Answer<_>>()?))
}

fn points(r: &Reader<'_>) -> Answer<Vec<RoleRecord>> {
    Ok(r.update_points(r.identity().code())?)
}

/// The update point of this name; without one, all of this site.
fn named(r: &Reader<'_>, name: &str) -> Answer<Vec<RoleRecord>> {
    let mut points = points(r)?;
    points.retain(|point| name.is_empty() || point.name == name);
    if points.is_empty() {
        let (what, see) = ("update point of this site", "tierline role list");
        return Err(Error::Unknown { what, name: name.to_owned(), see });
    }
    Ok(points)
}

fn read(choice: &pb::LanguageChoice) -> Answer<Languages> {
    Ok(Languages::choose(choice.languages.iter().map(String::as_str))?)
}
