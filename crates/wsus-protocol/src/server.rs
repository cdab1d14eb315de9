//! What servers ask each other beside the catalog (MS-WSUSSS 3.1.4.7 to 3.1.4.12, 3.1.4.18):
//! drivers, decryption keys, deployments for replicas, files to fetch, signs of life.

use uuid::Uuid;

use crate::record::{list, records};
use crate::{Cookie, UpdateIdentity, WireTime};

records! {
    GetUpdateDecryptionData: request of ServerSync GetUpdateDecryptionData {
        cookie: Option<Cookie> = "cookie",
        updates: Vec<UpdateIdentity> = "updateIds",
    }

    #[derive(Default)]
    DecryptionData: result of ServerSync GetUpdateDecryptionData {
        updates: Vec<UpdateDecryption> = "UpdateFileDecryptionData" or empty,
    }

    UpdateDecryption as "ServerSyncUpdateFileDecryption" {
        update: UpdateIdentity = "UpdateId",
        files: Vec<FileKey> = "FileDecryptionData",
    }

    FileKey as "ServerSyncFileDecryption" {
        digest: Vec<u8> = "FileDigest",
        key: Vec<u8> = "DecryptionKey",
    }

    /// Asked of the public service only.
    GetDriverIdList: request of ServerSync GetDriverIdList {
        cookie: Option<Cookie> = "cookie",
        filter: DriverFilter = "filter",
    }

    #[derive(Default)]
    DriverFilter {
        anchor: Option<String> = "Anchor",
        categories: Vec<IdAndDelta> = "Categories" or empty,
        computers: Vec<IdAndDelta> = "ComputerIds" or empty,
        devices: Vec<HardwareIdAndDelta> = "PnpHardwareIds" or empty,
    }

    IdAndDelta as "IdAndDelta" {
        id: Uuid = "Id",
        delta: bool = "Delta",
    }

    HardwareIdAndDelta as "HardwareIdAndDelta" {
        id: String = "Id",
        delta: bool = "Delta",
    }

    /// A server without a driver catalog answers with an anchor and empty lists.
    #[derive(Default)]
    DriverIdList: result of ServerSync GetDriverIdList {
        anchor: String = "Anchor",
        revisions: Vec<UpdateIdentity> = "NewRevisions" or empty,
        driver_sets: Vec<Uuid> = "NewDriverSets" or empty,
        removed_driver_sets: Vec<Uuid> = "RemovedDriverSets" or empty,
    }

    GetDriverSetData: request of ServerSync GetDriverSetData {
        cookie: Option<Cookie> = "cookie",
        /// None is refused, an empty list is not.
        driver_sets: Option<Vec<Uuid>> = "driverSets",
    }

    #[derive(Default)]
    DriverSetData: result of ServerSync GetDriverSetData {
        driver_sets: Vec<DriverSet> = "DriverSets" or empty,
    }

    DriverSet as "ServerSyncDriverSetData" {
        id: Uuid = "DriverSetId",
        xml: String = "DriverSetXml",
    }

    /// Asked by replicas.
    GetDeployments: request of ServerSync GetDeployments {
        cookie: Option<Cookie> = "cookie",
        deployment_anchor: Option<String> = "deploymentAnchor",
        /// Never empty.
        sync_anchor: Option<String> = "syncAnchor",
    }

    /// All groups, what changed of the deployments, and all declined updates and accepted
    /// licenses.
    #[derive(Default)]
    Deployments: result of ServerSync GetDeployments {
        anchor: String = "Anchor",
        groups: Vec<TargetGroup> = "Groups" or empty,
        deployments: Vec<ServerDeployment> = "Deployments" or empty,
        dead: Vec<Uuid> = "DeadDeployments" or empty,
        hidden_updates: Vec<Uuid> = "HiddenUpdates" or empty,
        accepted_licenses: Vec<Uuid> = "AcceptedEulas" or empty,
    }

    TargetGroup as "ServerSyncTargetGroup" {
        id: Uuid = "TargetGroupID",
        parent_id: Uuid = "ParentGroupId",
        name: String = "Name",
        is_builtin: bool = "IsBuiltin",
    }

    ServerDeployment as "ServerSyncDeployment" {
        update_id: Uuid = "UpdateId",
        revision: i32 = "RevisionNumber",
        /// 0 install, 1 uninstall, 2 only report, 3 block.
        action: i32 = "Action",
        administrator: String = "AdminName",
        /// [`WireTime::NEVER`] if there is none.
        deadline: WireTime = "Deadline",
        is_assigned: bool = "IsAssigned",
        go_live: WireTime = "GoLiveTime",
        id: Uuid = "DeploymentGuid",
        group_id: Uuid = "TargetGroupId",
        /// 1 to 3, which is the highest.
        download_priority: i32 = "DownloadPriority",
    }

    /// Tells a server to fetch files from its own parent.
    DownloadFiles: request of ServerSync DownloadFiles {
        cookie: Option<Cookie> = "cookie",
        /// At most [`DOWNLOAD_FILES_MAX`](crate::limits::DOWNLOAD_FILES_MAX).
        sha1: Vec<[u8; 20]> = "fileDigestList",
    }

    DownloadFilesResponse: answer of ServerSync DownloadFiles {}

    /// In no use; answered with an empty list.
    GetRelatedRevisionsForUpdates: request of ServerSync GetRelatedRevisionsForUpdates {
        cookie: Option<Cookie> = "cookie",
        updates: Vec<Uuid> = "updateIDs",
    }
}

list! {
    RelatedRevisions: result of ServerSync GetRelatedRevisionsForUpdates [UpdateIdentity]
}

records! {
    Ping: request of Monitor Ping {
        level: i32 = "pingLevel",
    }

    PingResponse: answer of Monitor Ping {
        service: MonitoredService = "PingResult",
    }

    /// How a service does; what does not concern the caller can be left out.
    MonitoredService {
        is_healthy: bool = "SuccessFlag",
        time: WireTime = "ServicesTime",
        name: Option<String> = "ServicesName",
        machine: Option<String> = "ServicesMachine",
        is_https: bool = "IsHttps",
        request_content_type: Option<String> = "RequestContentType",
        config_path: Option<String> = "ConfigFilePath",
        config_project: Option<String> = "ConfigFileProjectName",
        config_environment: Option<String> = "ConfigFileEnvironmentName",
        config_modified: WireTime = "ConfigFileLastModifiedTime",
        config_version: Option<String> = "ConfigFileVersion",
        config_expires: WireTime = "ConfigFileNextExpirationTime",
        config_expiration_minutes: i32 = "ConfigFileExpirationModuloInMinutes",
        database: Option<String> = "DatabaseInfo",
        custom: Option<String> = "CustomInfo",
    }
}
