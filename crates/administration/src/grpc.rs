//! The two services on the wire: decode, call, encode.
//!
//! Owns the list of methods; each noun's handlers are one file. Errors become statuses in one
//! place, where what concerns only us is logged.

mod catalog;
mod category;
mod client;
mod collection;
mod compliance;
mod content;
mod db;
mod deployment;
mod group;
mod owned;
mod package;
mod replication;
mod role;
mod site;
mod status_message;
mod sync;
mod update;

use std::pin::Pin;

use futures_util::Stream;
use model::{ErrorClass, PeerKind, error_chain};
use rpc::pb::admin as pb;
use rpc::pb::admin::admin_service_server::AdminService;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentService;
use rpc::pb::enrolment::{
    AuthorizeSecondaryRequest, AuthorizeSecondaryResponse, EnrolRequest, EnrolResponse,
    RenewRequest, RenewResponse,
};
use tonic::{Request, Response, Status};
use transport::peer;

use crate::admin::Call;
use crate::enrolment::{Claim, Question};
use crate::{Admin, Enrolment, Error, Relay};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let class = error.class();
        if matches!(class, ErrorClass::Internal | ErrorClass::Corrupt) {
            tracing::error!(error = %error_chain(&error), "a call failed");
        }
        rpc::status::from_error(class, &error)
    }
}

fn call<M>(request: Request<M>) -> Result<Call<M>, Status> {
    let caller = peer(&request)?.clone();
    Ok(Call { caller, message: request.into_inner() })
}

/// One line per method: its name, request, response, and the handler.
macro_rules! admin_service {
    (
        one answer {
            $($method:ident($request:ident) -> $response:ident = $handler:path;)*
        }
        many answers {
            $($item:ident: $smethod:ident($srequest:ident) -> $sresponse:ident = $shandler:path;)*
        }
    ) => {
        #[tonic::async_trait]
        impl AdminService for Admin {
            $(
                async fn $method(
                    &self,
                    request: Request<pb::$request>,
                ) -> Result<Response<pb::$response>, Status> {
                    Ok(Response::new($handler(self, call(request)?).await?))
                }
            )*
            $(
                type $item = Answers<pb::$sresponse>;

                async fn $smethod(
                    &self,
                    request: Request<pb::$srequest>,
                ) -> Result<Response<Self::$item>, Status> {
                    Ok(Response::new($shandler(self, call(request)?).await?))
                }
            )*
        }
    };
}

admin_service! {
    one answer {
        get_site_status(GetSiteStatusRequest) -> GetSiteStatusResponse = site::status;
        list_sites(ListSitesRequest) -> ListSitesResponse = site::list;
        get_site(GetSiteRequest) -> GetSiteResponse = site::show;
        create_site_token(CreateSiteTokenRequest) -> CreateSiteTokenResponse = site::token;

        list_roles(ListRolesRequest) -> ListRolesResponse = role::list;
        create_role_token(CreateRoleTokenRequest) -> CreateRoleTokenResponse = role::token;
        remove_role(RemoveRoleRequest) -> RemoveRoleResponse = role::remove;

        get_replication_status(GetReplicationStatusRequest) -> GetReplicationStatusResponse
            = replication::status;
        get_replication_link(GetReplicationLinkRequest) -> GetReplicationLinkResponse
            = replication::show;
        verify_replication(VerifyReplicationRequest) -> VerifyReplicationResponse
            = replication::verify;
        resolve_stream(ResolveStreamRequest) -> ResolveStreamResponse = replication::resolve;

        check_database(CheckDatabaseRequest) -> CheckDatabaseResponse = db::check;
        back_up_database(BackUpDatabaseRequest) -> BackUpDatabaseResponse = db::backup;

        list_status_messages(ListStatusMessagesRequest) -> ListStatusMessagesResponse
            = status_message::list;

        get_client(GetClientRequest) -> GetClientResponse = client::show;
        create_client_token(CreateClientTokenRequest) -> CreateClientTokenResponse = client::token;
        scan_clients(ScanClientsRequest) -> ScanClientsResponse = client::scan;
        remove_client(RemoveClientRequest) -> RemoveClientResponse = client::remove;

        list_collections(ListCollectionsRequest) -> ListCollectionsResponse = collection::list;
        get_collection(GetCollectionRequest) -> GetCollectionResponse = collection::show;
        create_collection(CreateCollectionRequest) -> CreateCollectionResponse
            = collection::create;

        list_groups(ListGroupsRequest) -> ListGroupsResponse = group::list;
        get_group(GetGroupRequest) -> GetGroupResponse = group::show;
        create_group(CreateGroupRequest) -> CreateGroupResponse = group::create;
        change_group(ChangeGroupRequest) -> ChangeGroupResponse = group::change;
        delete_group(DeleteGroupRequest) -> DeleteGroupResponse = group::delete;

        list_deployments(ListDeploymentsRequest) -> ListDeploymentsResponse = deployment::list;
        get_deployment(GetDeploymentRequest) -> GetDeploymentResponse = deployment::show;
        create_deployment(CreateDeploymentRequest) -> CreateDeploymentResponse
            = deployment::create;
        set_deployment_enabled(SetDeploymentEnabledRequest) -> SetDeploymentEnabledResponse
            = deployment::set_enabled;
        delete_deployment(DeleteDeploymentRequest) -> DeleteDeploymentResponse
            = deployment::delete;

        get_compliance_summary(GetComplianceSummaryRequest) -> GetComplianceSummaryResponse
            = compliance::summary;
        get_update_compliance(GetUpdateComplianceRequest) -> GetUpdateComplianceResponse
            = compliance::update;
        get_client_compliance(GetClientComplianceRequest) -> GetClientComplianceResponse
            = compliance::client;
        get_group_compliance(GetGroupComplianceRequest) -> GetGroupComplianceResponse
            = compliance::of_group;
        get_deployment_compliance(GetDeploymentComplianceRequest)
            -> GetDeploymentComplianceResponse = compliance::of_deployment;
        get_collection_compliance(GetCollectionComplianceRequest)
            -> GetCollectionComplianceResponse = compliance::of_collection;

        start_sync(StartSyncRequest) -> StartSyncResponse = sync::start;
        get_sync_status(GetSyncStatusRequest) -> GetSyncStatusResponse = sync::status;
        list_sync_runs(ListSyncRunsRequest) -> ListSyncRunsResponse = sync::history;
        cancel_sync(CancelSyncRequest) -> CancelSyncResponse = sync::cancel;
        get_sync_schedule(GetSyncScheduleRequest) -> GetSyncScheduleResponse = sync::schedule;
        set_sync_schedule(SetSyncScheduleRequest) -> SetSyncScheduleResponse
            = sync::set_schedule;
        get_sync_source(GetSyncSourceRequest) -> GetSyncSourceResponse = sync::source;
        set_sync_source(SetSyncSourceRequest) -> SetSyncSourceResponse = sync::set_source;

        list_categories(ListCategoriesRequest) -> ListCategoriesResponse = category::list;
        set_subscription(SetSubscriptionRequest) -> SetSubscriptionResponse = category::subscribe;

        get_update(GetUpdateRequest) -> GetUpdateResponse = update::show;

        import_catalog(ImportCatalogRequest) -> ImportCatalogResponse = catalog::import;
        get_catalog_import(GetCatalogImportRequest) -> GetCatalogImportResponse = catalog::show;

        create_package(CreatePackageRequest) -> CreatePackageResponse = package::create;
        list_packages(ListPackagesRequest) -> ListPackagesResponse = package::list;
        get_package(GetPackageRequest) -> GetPackageResponse = package::show;
        download_package(DownloadPackageRequest) -> DownloadPackageResponse = package::download;
        distribute_package(DistributePackageRequest) -> DistributePackageResponse
            = package::distribute;
        get_content_status(GetContentStatusRequest) -> GetContentStatusResponse = content::status;
        list_distribution_points(ListDistributionPointsRequest) -> ListDistributionPointsResponse
            = content::points;
        get_distribution_point(GetDistributionPointRequest) -> GetDistributionPointResponse
            = content::point;
    }
    many answers {
        FollowStatusMessagesStream: follow_status_messages(FollowStatusMessagesRequest)
            -> FollowStatusMessagesResponse = status_message::follow;
        ListUpdatesStream: list_updates(ListUpdatesRequest) -> ListUpdatesResponse = update::list;
        ListClientsStream: list_clients(ListClientsRequest) -> ListClientsResponse
            = client::list;
        ListCollectionMembersStream: list_collection_members(ListCollectionMembersRequest)
            -> ListCollectionMembersResponse = collection::list_members;
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let claim = Claim::try_from(request.into_inner())?;
        Ok(Response::new(Enrolment::enrol(self, claim).await?))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let Call { caller, message } = call(request)?;
        Ok(Response::new(Enrolment::renew(self, caller, message).await?))
    }

    async fn authorize_secondary(
        &self,
        request: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        let Call { caller, message } = call(request)?;
        let question = Question::try_from(message)?;
        let (owner, authority) =
            Enrolment::authorize_secondary(self, question, caller.site).await?;
        let site_uuid = owner.uuid.as_bytes().to_vec();
        Ok(Response::new(AuthorizeSecondaryResponse { authority, site_uuid }))
    }
}

#[tonic::async_trait]
impl EnrolmentService for Relay {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        // What joins here stands below this site, and no site does (HIER-03).
        let message = request.into_inner();
        if message.kind == PeerKind::Site.as_str() {
            return Err(refuse_site());
        }
        Ok(Response::new(Relay::enrol(self, message).await?))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let Call { caller, message } = call(request)?;
        Ok(Response::new(Relay::renew(self, caller, message).await?))
    }

    async fn authorize_secondary(
        &self,
        _: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        Err(refuse_site())
    }
}

fn refuse_site() -> Status {
    let kind = model::SiteKind::Secondary;
    Error::MayNotJoin { kind, parent: kind }.into()
}
