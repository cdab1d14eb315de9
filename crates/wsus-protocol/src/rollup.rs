//! Messages of the reporting service between servers (MS-WSUSSS 3.1.4.13 to 3.1.4.17): a
//! downstream server tells of itself, its servers and its computers.
//!
//! Computers travel as attributes, everything else as elements. Calls carry a fixed cookie:
//! [`rollup_cookie`].

use uuid::Uuid;

use crate::record::{list, records, words};
use crate::{Cookie, WireTime};

/// The cookie of every reporting call between servers, which nobody checks.
#[must_use]
pub fn rollup_cookie() -> Cookie {
    Cookie { expires: WireTime::NEVER, data: Vec::new() }
}

records! {
    GetRollupConfiguration: request of Reporting GetRollupConfiguration {
        cookie: Option<Cookie> = "cookie",
    }

    RollupConfiguration: result of Reporting GetRollupConfiguration {
        is_detailed: bool = "DoDetailedRollup",
        /// Another one than before: everything must be reported again.
        reset_guid: Uuid = "RollupResetGuid",
        server_id: Uuid = "ServerId",
        downstream_servers_max: i32 = "RollupDownstreamServersMaxBatchSize",
        computers_max: i32 = "RollupComputersMaxBatchSize",
        out_of_sync_computers_max: i32 = "GetOutOfSyncComputersMaxBatchSize",
        computer_statuses_max: i32 = "RollupComputerStatusMaxBatchSize",
    }

    RollupDownstreamServers: request of Reporting RollupDownstreamServers {
        cookie: Option<Cookie> = "cookie",
        client_time: WireTime = "clientTime",
        servers: Vec<DownstreamServer> = "downstreamServers",
    }

    RollupDownstreamServersResponse: answer of Reporting RollupDownstreamServers {}

    DownstreamServer as "DownstreamServerRollupInfo" {
        server_id: Uuid = "ServerId",
        domain_name: String = "FullDomainName",
        last_sync: WireTime = "LastSyncTime",
        parent_id: Uuid = "ParentServerId",
        version: String = "Version",
        is_replica: bool = "IsReplica",
        last_rollup: WireTime = "LastRollupTime",
        summary: Option<ServerSummary> = "ServerSummary",
        clients: Vec<ClientSummary> = "ClientSummaries",
    }

    #[derive(Default)]
    ServerSummary {
        updates: i32 = "UpdateCount",
        declined: i32 = "DeclinedUpdateCount",
        approved: i32 = "ApprovedUpdateCount",
        not_approved: i32 = "NotApprovedUpdateCount",
        stale_approvals: i32 = "UpdatesWithStaleUpdateApprovalsCount",
        expired: i32 = "ExpiredUpdateCount",
        critical_not_approved: i32 = "CriticalOrSecurityUpdatesNotApprovedForInstallCount",
        infrastructure_not_approved: i32 = "WsusInfrastructureUpdatesNotApprovedForInstallCount",
        with_client_errors: i32 = "UpdatesWithClientErrorsCount",
        with_server_errors: i32 = "UpdatesWithServerErrorsCount",
        needing_files: i32 = "UpdatesNeedingFilesCount",
        needed_by_computers: i32 = "UpdatesNeededByComputersCount",
        up_to_date: i32 = "UpdatesUpToDateCount",
        custom_groups: i32 = "CustomComputerTargetGroupCount",
        computers: i32 = "ComputerTargetCount",
        computers_needing_updates: i32 = "ComputerTargetsNeedingUpdatesCount",
        computers_with_errors: i32 = "ComputerTargetsWithUpdateErrorsCount",
        computers_up_to_date: i32 = "ComputersUpToDateCount",
    }

    /// How many computers there are of one operating system.
    ClientSummary as "DownstreamServerRollupClientSummary" {
        os_major: i32 = "OSMajorVersion",
        os_minor: i32 = "OSMinorVersion",
        os_build: i32 = "OSBuildNumber",
        os_service_pack_major: i32 = "OSServicePackMajorNumber",
        os_service_pack_minor: i32 = "OSServicePackMinorNumber",
        os_locale: String = "OSLocale",
        suite_mask: i32 = "SuiteMask",
        old_product_type: i32 = "OldProductType",
        new_product_type: i32 = "NewProductType",
        system_metrics: i32 = "SystemMetrics",
        processor_architecture: String = "ProcessorArchitecture",
        count: i32 = "Count",
        activities: Vec<ClientActivity> = "ActivitySummaries",
    }

    ClientActivity as "DownstreamServerRollupClientActivitySummary" {
        update_id: Uuid = "UpdateId",
        revision: i32 = "RevisionNumber",
        successes: i32 = "InstallSuccessCount",
        failures: i32 = "InstallFailureCount",
    }

    RollupComputers: request of Reporting RollupComputers {
        cookie: Option<Cookie> = "cookie",
        client_time: WireTime = "clientTime",
        computers: Vec<RolledUpComputer> = "computers",
    }

    RolledUpComputer as "ComputerRollupInfo" [
        computer_id: String = "ComputerId",
        last_sync: WireTime = "LastSyncTime",
        last_sync_result: i32 = "LastSyncResult",
        last_reboot: WireTime = "LastReportedRebootTime",
        last_status: WireTime = "LastReportedStatusTime",
        last_inventory: WireTime = "LastInventoryTime",
        parent_id: Uuid = "ParentServerId",
    ] {
        details: Option<ComputerDetails> = "Details",
    }

    ComputerDetails [
        address: String = "IPAddress",
        domain_name: String = "FullDomainName",
        os_major: i32 = "OSMajorVersion",
        os_minor: i32 = "OSMinorVersion",
        os_build: i32 = "OSBuildNumber",
        os_service_pack_major: i32 = "OSServicePackMajorNumber",
        os_service_pack_minor: i32 = "OSServicePackMinorNumber",
        os_locale: String = "OSLocale",
        os_family: Option<String> = "OSFamily",
        os_description: Option<String> = "OSDescription",
        make: String = "ComputerMake",
        model: String = "ComputerModel",
        bios_version: String = "BiosVersion",
        bios_name: String = "BiosName",
        bios_release_date: WireTime = "BiosReleaseDate",
        processor_architecture: String = "ProcessorArchitecture",
        suite_mask: i32 = "SuiteMask",
        old_product_type: i32 = "OldProductType",
        new_product_type: i32 = "NewProductType",
        system_metrics: i32 = "SystemMetrics",
        client_version: String = "ClientVersion",
    ] {
        target_groups: Vec<Uuid> = "TargetGroupIdList",
        requested_groups: Vec<String> = "RequestedTargetGroupNames",
    }
}

list! {
    /// Computers the parent no longer wants to hear of from this server.
    ChangedComputers: result of Reporting RollupComputers [ChangedComputer]
}

records! {
    ChangedComputer as "ChangedComputer" [
        computer_id: String = "ComputerId",
        change: ComputerChange = "Change",
    ] {}
}

words! {
    ComputerChange {
        Deleted,
        NewParent,
    }
}

records! {
    GetOutOfSyncComputers: request of Reporting GetOutOfSyncComputers {
        cookie: Option<Cookie> = "cookie",
        parent_id: Uuid = "parentServerId",
        last_rollups: Vec<LastRollup> = "lastRollupNumbers",
    }

    LastRollup as "ComputerLastRollupNumber" {
        computer_id: String = "ComputerId",
        number: i32 = "RollupNumber",
    }
}

list! {
    /// Computers whose status must be sent whole.
    OutOfSyncComputers: result of Reporting GetOutOfSyncComputers [String]
}

records! {
    RollupComputerStatus: request of Reporting RollupComputerStatus {
        cookie: Option<Cookie> = "cookie",
        client_time: WireTime = "clientTime",
        parent_id: Uuid = "parentServerId",
        computers: Vec<ComputerStatus> = "computers",
    }

    ComputerStatus as "ComputerStatusRollupInfo" {
        instance: Uuid = "InstanceId",
        computer_id: String = "ComputerId",
        last_detection: WireTime = "EffectiveLastDetectionTime",
        rollup_number: i32 = "RollupNumber",
        is_full: bool = "IsFullRollup",
        updates: Vec<UpdateStatus> = "UpdateStatus",
    }

    UpdateStatus as "ComputerStatusRollupUpdateStatus" {
        update_id: Uuid = "UpdateId",
        /// 0 unknown, 1 not applicable, 2 not installed, 3 downloaded, 4 installed, 5 failed,
        /// 6 installed, pending a restart.
        state: i32 = "SummarizationState",
        last_change: WireTime = "LastChangeTime",
    }

    RollupComputerStatusResponse: answer of Reporting RollupComputerStatus {
        /// False: busy, try again.
        is_accepted: bool = "RollupComputerStatusResult",
    }
}
