//! The upstream side: the server of the server-server protocol (MS-WSUSSS 3.1).
//!
//! Owns the answers of the synchronization and the authorization service, and the sign of life
//! that every service gives. Refuses to know how requests come in. Anchors name the catalog they
//! were given by, so that the anchor of a replaced catalog is answered with `ServerChanged`, also
//! after a restart. There is no driver catalog here, no encrypted file and no deployment: what
//! asks for them gets what the protocol has for a server without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Sha1, UpdateId, UpdateRef};
use update_catalog::{FileName, Listed, RevisionFilter};
use uuid::{Uuid, uuid};
use wsus_protocol::limits::DOWNLOAD_FILES_MAX;
use wsus_protocol::server::{
    DecryptionData, Deployments, DownloadFiles, DownloadFilesResponse, DriverIdList, DriverSetData,
    GetDeployments, GetDriverIdList, GetDriverSetData, GetRelatedRevisionsForUpdates,
    GetUpdateDecryptionData, MonitoredService, Ping, PingResponse, RelatedRevisions, TargetGroup,
};
use wsus_protocol::{
    Blob, ConfigData, Endpoint, ErrorCode, FileUrl, Filter, GetAuthConfig, GetConfigData,
    GetRevisionIdList, GetUpdateData, ProtocolVersion, RevisionIdList, Selected, UpdateData,
    UpdateIdentity, UpdateRecord, WireTime,
};

use crate::languages::spoken;
use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};
use crate::{Error, authorization, limits};

/// Groups that are on every server under these names.
const ALL_COMPUTERS: Uuid = uuid!("a0a08746-4dbe-4a37-9adf-9e7652c0b421");
const UNASSIGNED_COMPUTERS: Uuid = uuid!("b73ca6ed-5727-47f3-84de-015e03f6a88a");

pub(crate) async fn answer(
    point: &Point,
    endpoint: Endpoint,
    body: &[u8],
) -> Result<Answer, Refused> {
    Ok(match endpoint.name {
        "GetAuthConfig" => {
            let GetAuthConfig = read(body)?;
            Answer::of(&authorization::auth_config())
        }
        "GetAuthorizationCookie" => Answer::of(&point.authorization_cookie(&read(body)?)?),
        "GetCookie" => Answer::of(&point.cookie(&read(body)?)?),
        "GetConfigData" => Answer::of(&point.config_data(&read(body)?)?),
        "GetRevisionIdList" => Answer::List(point.revision_list(read(body)?).await?),
        "GetUpdateData" => Answer::of(&point.update_data(read(body)?).await?),
        "GetUpdateDecryptionData" => Answer::of(&point.decryption_data(&read(body)?)?),
        "GetDriverIdList" => Answer::of(&point.driver_list(&read(body)?).await?),
        "GetDriverSetData" => Answer::of(&point.driver_sets(&read(body)?)?),
        "GetDeployments" => Answer::of(&point.deployments(read(body)?).await?),
        "DownloadFiles" => Answer::of(&point.download_files(read(body)?).await?),
        "GetRelatedRevisionsForUpdates" => {
            let GetRelatedRevisionsForUpdates { cookie, .. } = read(body)?;
            point.admit(cookie.as_ref())?;
            Answer::of(&RelatedRevisions(Vec::new()))
        }
        _ => return Err(not_served()),
    })
}

/// Each group with the one above it.
fn target_groups() -> Vec<TargetGroup> {
    let group = |id, parent_id, name: &str| {
        let (name, is_builtin) = (name.to_owned(), true);
        TargetGroup { id, parent_id, name, is_builtin }
    };
    vec![
        group(ALL_COMPUTERS, Uuid::nil(), "All Computers"),
        group(UNASSIGNED_COMPUTERS, ALL_COMPUTERS, "Unassigned Computers"),
    ]
}

impl Point {
    fn config_data(&self, request: &GetConfigData) -> Result<ConfigData, Refused> {
        self.admit(request.cookie.as_ref())?;
        let anchor = format!("{:x}", self.languages.get().bits());
        let is_known = request.anchor.as_ref() == Some(&anchor);
        let languages = if is_known { Vec::new() } else { self.told_languages() };
        Ok(ConfigData {
            catalog_only_sync: false,
            lazy_sync: true,
            server_hosts_psf_files: false,
            computer_ids_max: 0,
            driver_sets_max: 0,
            hardware_ids_max: 0,
            updates_max: limits::UPDATES_PER_REQUEST,
            anchor,
            protocol_version: ProtocolVersion::CURRENT.to_string(),
            languages,
            decryption_updates_max: limits::UPDATES_PER_REQUEST,
        })
    }

    async fn revision_list(&self, request: GetRevisionIdList) -> Result<RevisionIdList, Refused> {
        self.admit(request.cookie.as_ref())?;
        let Filter { anchor, get_config, categories, classifications, languages, .. } =
            request.filter;
        let anchor = self.read_anchor(anchor.as_deref(), "filter")?;
        let listed = |list: Vec<Selected<Uuid>>| -> Vec<Listed> {
            let listed = |s: &Selected<Uuid>| Listed { id: UpdateId(s.id), is_delta: s.delta };
            list.iter().map(listed).collect()
        };
        let filter = match get_config {
            true => RevisionFilter::Config,
            false => RevisionFilter::Updates {
                categories: categories.map(listed),
                classifications: classifications.map(listed),
            },
        };
        let spoken = spoken(languages.as_deref());
        let list = self.catalog.revision_list_in(spoken, filter, anchor).await?;
        let wire = |u: UpdateRef| UpdateIdentity { update_id: u.id.0, revision: u.revision };
        Ok(RevisionIdList {
            anchor: self.anchor(list.anchor),
            revisions: list.revisions.into_iter().map(wire).collect(),
        })
    }

    fn anchor(&self, number: u64) -> String {
        format!("{number},{}", self.server_id)
    }

    /// The number in an anchor of ours; an empty one is none.
    fn read_anchor(&self, anchor: Option<&str>, parameter: &str) -> Result<Option<u64>, Refused> {
        let Some(anchor) = anchor.filter(|anchor| !anchor.is_empty()) else { return Ok(None) };
        let parts = anchor.split_once(',');
        let parts =
            parts.and_then(|(n, id)| Some((n.parse::<i64>().ok()?, id.parse::<Uuid>().ok()?)));
        let number = parts.and_then(|(n, id)| Some((u64::try_from(n).ok()?, id)));
        match number {
            Some((number, id)) if id == self.server_id => Ok(Some(number)),
            Some(_) => Err(Refused::with(ErrorCode::ServerChanged, "")),
            None => Err(Refused::parameter(parameter)),
        }
    }

    /// One unknown revision fails the whole call, as with the original server.
    async fn update_data(&self, request: GetUpdateData) -> Result<UpdateData, Refused> {
        self.admit(request.cookie.as_ref())?;
        limit_updates(&request.updates)?;
        let named =
            |u: &UpdateIdentity| UpdateRef { id: UpdateId(u.update_id), revision: u.revision };
        let documents = self.catalog.documents(request.updates.iter().map(named).collect()).await?;
        if documents.len() != request.updates.len() {
            return Err(Refused::with(ErrorCode::InternalServerError, ""));
        }
        let mut data = UpdateData::default();
        for (identity, stored) in request.updates.into_iter().zip(documents) {
            let update = stored.update;
            let blob = Blob::pack(&stored.xml).map_err(|source| Error::Pack { update, source })?;
            let files = self.catalog.files(update).await?;
            let file_digests = files.iter().map(|file| file.file.sha1.0).collect();
            data.updates.push(UpdateRecord { identity, document: blob, file_digests });
            data.file_urls.extend(files.into_iter().map(|file| FileUrl {
                sha1: file.file.sha1.0,
                public_url: file.sources.into_iter().next().unwrap_or_default(),
                server_url: String::new(),
            }));
        }
        Ok(data)
    }

    fn decryption_data(
        &self,
        request: &GetUpdateDecryptionData,
    ) -> Result<DecryptionData, Refused> {
        self.admit(request.cookie.as_ref())?;
        limit_updates(&request.updates)?;
        Ok(DecryptionData::default())
    }

    /// Our configuration says that we take no computers and no devices.
    async fn driver_list(&self, request: &GetDriverIdList) -> Result<DriverIdList, Refused> {
        self.admit(request.cookie.as_ref())?;
        let filter = &request.filter;
        self.read_anchor(filter.anchor.as_deref(), "filter")?;
        if !filter.computers.is_empty() || !filter.devices.is_empty() {
            return Err(Refused::parameter("filter"));
        }
        let anchor = self.anchor(self.catalog.state().await?.changes);
        Ok(DriverIdList { anchor, ..DriverIdList::default() })
    }

    /// As with [`driver_list`](Point::driver_list): the sets we take are none.
    fn driver_sets(&self, request: &GetDriverSetData) -> Result<DriverSetData, Refused> {
        self.admit(request.cookie.as_ref())?;
        match request.driver_sets.as_deref() {
            None => Err(Refused::parameter("driverSets")),
            Some([]) => Ok(DriverSetData::default()),
            Some(_) => Err(Refused::with(ErrorCode::TooManyIds, "driverSets")),
        }
    }

    /// What computers of a site shall install is told by policy alone: replicas learn of what was
    /// taken from a server above, and what is declined here is hidden there.
    async fn deployments(&self, request: GetDeployments) -> Result<Deployments, Refused> {
        self.admit(request.cookie.as_ref())?;
        let since = self.read_anchor(request.deployment_anchor.as_deref(), "deploymentAnchor")?;
        let until = request.sync_anchor.filter(|anchor| !anchor.is_empty());
        let until = until.ok_or_else(|| Refused::parameter("syncAnchor"))?;
        self.read_anchor(Some(&until), "syncAnchor")?;
        let anchor = self.anchor(self.catalog.state().await?.changes);
        Ok(self.told_decisions(since, anchor, target_groups()).await?)
    }

    /// Files that updates name are fetched, unless they are here, after the answer.
    async fn download_files(
        &self,
        request: DownloadFiles,
    ) -> Result<DownloadFilesResponse, Refused> {
        self.admit(request.cookie.as_ref())?;
        if !(1..=DOWNLOAD_FILES_MAX).contains(&request.sha1.len()) {
            return Err(Refused::parameter("fileDigestList"));
        }
        let (mut known, mut missing) = (Vec::new(), Vec::new());
        for sha1 in request.sha1 {
            match self.catalog.file(FileName::Sha1(Sha1(sha1))).await? {
                Some(named) => known.push(named.file),
                None => missing.push(STANDARD.encode(sha1)),
            }
        }
        if !missing.is_empty() {
            return Err(Refused::with(ErrorCode::FileDigestsMissing, &missing.join("|")));
        }
        self.downloads.want(known);
        Ok(DownloadFilesResponse {})
    }

    pub(crate) fn ping(&self, body: &[u8]) -> Result<Answer, Refused> {
        let Ping { .. } = read(body)?;
        let service = MonitoredService {
            is_healthy: true,
            time: self.now(),
            name: None,
            machine: None,
            is_https: false,
            request_content_type: None,
            config_path: None,
            config_project: None,
            config_environment: None,
            config_modified: WireTime::MIN,
            config_version: None,
            config_expires: WireTime::NEVER,
            config_expiration_minutes: 0,
            database: None,
            custom: None,
        };
        Ok(Answer::of(&PingResponse { service }))
    }
}

fn limit_updates(updates: &[UpdateIdentity]) -> Result<(), Refused> {
    match updates.len() > limits::UPDATES_PER_REQUEST as usize {
        true => Err(Refused::parameter("updateIds")),
        false => Ok(()),
    }
}
