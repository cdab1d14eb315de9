//! The administration service on the wire, and what its handlers share.
//!
//! Owns the list of methods; each noun's handlers are one file. A handler is a function of one
//! transaction and a request. Errors become statuses in one place, where what concerns only us is
//! logged.

mod approval;
mod boundary;
mod boundary_group;
mod catalog;
mod category;
mod cleanup;
mod client;
mod client_settings;
mod collection;
mod compliance;
mod content;
mod db;
mod decline;
mod deployment;
mod enrolling;
mod enrolment;
mod explain;
mod group;
mod hold;
mod inventory;
mod languages;
mod naming;
mod noun;
mod package;
mod phased;
mod publishing;
mod replication;
mod role;
mod rule;
mod rule_run;
mod rule_template;
mod site;
mod standing;
mod status_message;
mod sync;
mod update;
mod update_settings;
mod window;

use std::pin::Pin;

use futures_util::Stream;
use futures_util::stream::iter;
use model::{ErrorClass, error_chain};
use rpc::pb::admin as pb;
use rpc::pb::admin::admin_service_server::AdminService;
use tonic::{Request, Response, Status};
use transport::peer;

pub use self::enrolment::Relay;
use crate::admin::{Change, View};
use crate::{Admin, Error};

/// What a handler gives.
type Answer<T> = Result<T, Error>;

/// An answer in several messages.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Rows in one message: far below the largest message.
const PAGE_ROWS: usize = 1_000;

/// In which titles are shown.
const LANGUAGE: &str = "en";

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let class = error.class();
        if matches!(class, ErrorClass::Internal | ErrorClass::Corrupt) {
            tracing::error!(error = %error_chain(&error), "a call failed");
        }
        rpc::status::from_error(class, &error)
    }
}

/// A field of a request that may be left empty.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn count(things: impl Iterator) -> u32 {
    u32::try_from(things.count()).unwrap_or(u32::MAX)
}

/// Rows in as many messages as they need.
fn pages<R, A>(rows: Vec<R>, answer: impl Fn(Vec<R>) -> A) -> Answers<A>
where
    R: Clone,
    A: Send + 'static,
{
    let pages = rows.chunks(PAGE_ROWS).map(|rows| Ok(answer(rows.to_vec())));
    Box::pin(iter(pages.collect::<Vec<_>>()))
}

impl Admin {
    /// Answers from a snapshot.
    async fn read<M, A>(
        &self,
        request: Request<M>,
        handler: fn(&View<'_>, M) -> Answer<A>,
    ) -> Result<A, Status>
    where
        M: Send + 'static,
        A: Send + 'static,
    {
        peer(&request)?;
        let (admin, message) = (self.clone(), request.into_inner());
        let answer = self.db.read(move |r| handler(&View { admin: &admin, reader: r }, message));
        Ok(answer.await?)
    }

    /// Answers by a change and its audit message, in one transaction.
    async fn change<M, A>(
        &self,
        request: Request<M>,
        handler: fn(&Change<'_>, M) -> Answer<A>,
    ) -> Result<A, Status>
    where
        M: Send + 'static,
        A: Send + 'static,
    {
        let account = peer(&request)?.id.clone();
        let (admin, message) = (self.clone(), request.into_inner());
        let answer = self.db.write(move |w| {
            handler(&Change { admin: &admin, writer: w, account: &account }, message)
        });
        Ok(answer.await?)
    }

    /// Answers by something longer than a transaction.
    async fn task<'a, M, A>(
        &'a self,
        request: Request<M>,
        handler: impl AsyncFnOnce(&'a Admin, (String, M)) -> Answer<A>,
    ) -> Result<A, Status> {
        let account = peer(&request)?.id.clone();
        Ok(handler(self, (account, request.into_inner())).await?)
    }
}

/// One line per method: how it works, its name, request, response, and the handler, which gives the
/// response, or the one field of it that is named.
macro_rules! admin_service {
    (
        one answer {
            $($how:ident $method:ident($request:ident)
                -> $response:ident $({ $field:ident })? = $handler:path;)*
        }
        many answers {
            $($item:ident: $show:ident $smethod:ident($srequest:ident)
                -> $sresponse:ident = $shandler:path;)*
        }
    ) => {
        #[tonic::async_trait]
        impl AdminService for Admin {
            $(
                async fn $method(
                    &self,
                    request: Request<pb::$request>,
                ) -> Result<Response<pb::$response>, Status> {
                    let answer = self.$how(request, $handler).await?;
                    $(let answer = pb::$response { $field: answer.into() };)?
                    Ok(Response::new(answer))
                }
            )*
            $(
                type $item = Answers<pb::$sresponse>;

                async fn $smethod(
                    &self,
                    request: Request<pb::$srequest>,
                ) -> Result<Response<Self::$item>, Status> {
                    Ok(Response::new(self.$show(request, $shandler).await?))
                }
            )*
        }
    };
}

admin_service! {
    one answer {
        read get_site_status(GetSiteStatusRequest) -> GetSiteStatusResponse { rows } = site::status;
        read list_sites(ListSitesRequest) -> ListSitesResponse { rows } = site::list;
        read get_site(GetSiteRequest) -> GetSiteResponse = site::show;
        change create_site_token(CreateSiteTokenRequest) -> CreateSiteTokenResponse = site::token;

        read list_roles(ListRolesRequest) -> ListRolesResponse { rows } = role::list;
        change create_role_token(CreateRoleTokenRequest) -> CreateRoleTokenResponse = role::token;
        change remove_role(RemoveRoleRequest) -> RemoveRoleResponse { identity } = role::remove;

        read get_replication_status(GetReplicationStatusRequest)
            -> GetReplicationStatusResponse { rows } = replication::status;
        read get_replication_link(GetReplicationLinkRequest) -> GetReplicationLinkResponse { rows }
            = replication::show;
        task verify_replication(VerifyReplicationRequest) -> VerifyReplicationResponse { rows }
            = replication::verify;
        change resolve_stream(ResolveStreamRequest) -> ResolveStreamResponse = replication::resolve;

        task check_database(CheckDatabaseRequest) -> CheckDatabaseResponse { rows } = db::check;
        task back_up_database(BackUpDatabaseRequest) -> BackUpDatabaseResponse { file }
            = db::backup;

        read list_status_messages(ListStatusMessagesRequest) -> ListStatusMessagesResponse { rows }
            = status_message::list;

        read get_client(GetClientRequest) -> GetClientResponse { row } = client::show;
        read get_inventory(GetInventoryRequest) -> GetInventoryResponse = inventory::show;
        change create_client_token(CreateClientTokenRequest) -> CreateClientTokenResponse
            = client::token;
        read get_client_invitation(GetClientInvitationRequest)
            -> GetClientInvitationResponse { invitation } = enrolling::invitation;
        read list_pending_clients(ListPendingClientsRequest)
            -> ListPendingClientsResponse { rows } = enrolling::pending;
        change approve_client(ApproveClientRequest) -> ApproveClientResponse { row }
            = enrolling::approve;
        change refuse_client(RefuseClientRequest) -> RefuseClientResponse { row }
            = enrolling::refuse;
        read scan_clients(ScanClientsRequest) -> ScanClientsResponse { clients } = client::scan;
        change refresh_clients(RefreshClientsRequest) -> RefreshClientsResponse { clients }
            = client::refresh;
        change remove_client(RemoveClientRequest) -> RemoveClientResponse { identity }
            = client::remove;

        read list_collections(ListCollectionsRequest) -> ListCollectionsResponse { rows }
            = collection::list;
        read get_collection(GetCollectionRequest) -> GetCollectionResponse
            = collection::show;
        change create_collection(CreateCollectionRequest) -> CreateCollectionResponse { code }
            = collection::create;
        change change_collection(ChangeCollectionRequest) -> ChangeCollectionResponse { row }
            = collection::change;
        change delete_collection(DeleteCollectionRequest) -> DeleteCollectionResponse
            = collection::delete;
        change evaluate_collection(EvaluateCollectionRequest) -> EvaluateCollectionResponse { row }
            = collection::evaluate;

        read get_boundary(GetBoundaryRequest) -> GetBoundaryResponse = boundary::show;
        change create_boundaries(CreateBoundariesRequest) -> CreateBoundariesResponse { rows }
            = boundary::create;
        change delete_boundaries(DeleteBoundariesRequest) -> DeleteBoundariesResponse
            = boundary::delete;
        task explain_address(ExplainAddressRequest) -> ExplainAddressResponse = boundary::explain;
        task list_boundary_groups(ListBoundaryGroupsRequest) -> ListBoundaryGroupsResponse { rows }
            = boundary_group::list;
        task get_boundary_group(GetBoundaryGroupRequest) -> GetBoundaryGroupResponse
            = boundary_group::show;
        change create_boundary_group(CreateBoundaryGroupRequest)
            -> CreateBoundaryGroupResponse { code }
            = boundary_group::create;
        change change_boundary_group(ChangeBoundaryGroupRequest)
            -> ChangeBoundaryGroupResponse { row }
            = boundary_group::change;
        change delete_boundary_group(DeleteBoundaryGroupRequest) -> DeleteBoundaryGroupResponse
            = boundary_group::delete;

        read list_groups(ListGroupsRequest) -> ListGroupsResponse { rows } = group::list;
        read get_group(GetGroupRequest) -> GetGroupResponse = group::show;
        change create_group(CreateGroupRequest) -> CreateGroupResponse { code } = group::create;
        change change_group(ChangeGroupRequest) -> ChangeGroupResponse { row } = group::change;
        change delete_group(DeleteGroupRequest) -> DeleteGroupResponse = group::delete;

        read list_deployments(ListDeploymentsRequest) -> ListDeploymentsResponse { rows }
            = deployment::list;
        read get_deployment(GetDeploymentRequest) -> GetDeploymentResponse
            = deployment::show;
        change create_deployment(CreateDeploymentRequest) -> CreateDeploymentResponse
            = deployment::create;
        change set_deployment_enabled(SetDeploymentEnabledRequest) -> SetDeploymentEnabledResponse
            = deployment::set_enabled;
        change delete_deployment(DeleteDeploymentRequest) -> DeleteDeploymentResponse
            = deployment::delete;
        change change_deployment(ChangeDeploymentRequest) -> ChangeDeploymentResponse { row }
            = deployment::change;
        read get_deployment_limits(GetDeploymentLimitsRequest)
            -> GetDeploymentLimitsResponse { updates_max } = deployment::limits;
        change set_deployment_limits(SetDeploymentLimitsRequest)
            -> SetDeploymentLimitsResponse { updates_max } = deployment::set_limits;
        read list_holds(ListHoldsRequest) -> ListHoldsResponse { rows } = hold::list;
        change hold_deployment(HoldDeploymentRequest) -> HoldDeploymentResponse { row }
            = hold::hold;
        change release_deployment(ReleaseDeploymentRequest) -> ReleaseDeploymentResponse
            = hold::release;

        task explain_update(ExplainUpdateRequest) -> ExplainUpdateResponse { steps }
            = explain::update;

        read list_rules(ListRulesRequest) -> ListRulesResponse { rows } = rule::list;
        read get_rule(GetRuleRequest) -> GetRuleResponse = rule::show;
        change create_rule(CreateRuleRequest) -> CreateRuleResponse = rule::create;
        change change_rule(ChangeRuleRequest) -> ChangeRuleResponse = rule::change;
        change set_rule_enabled(SetRuleEnabledRequest) -> SetRuleEnabledResponse
            = rule::set_enabled;
        change delete_rule(DeleteRuleRequest) -> DeleteRuleResponse { kept } = rule::delete;
        change add_rule_deployment(AddRuleDeploymentRequest)
            -> AddRuleDeploymentResponse { number } = rule::add_deployment;
        change remove_rule_deployment(RemoveRuleDeploymentRequest)
            -> RemoveRuleDeploymentResponse = rule::remove_deployment;
        read preview_rule(PreviewRuleRequest) -> PreviewRuleResponse = rule_run::preview;
        change run_rule(RunRuleRequest) -> RunRuleResponse { number } = rule_run::run;
        read list_rule_runs(ListRuleRunsRequest) -> ListRuleRunsResponse { rows } = rule_run::list;
        read get_rule_run(GetRuleRunRequest) -> GetRuleRunResponse = rule_run::show;
        change save_rule_template(SaveRuleTemplateRequest) -> SaveRuleTemplateResponse { code }
            = rule_template::save;
        read list_rule_templates(ListRuleTemplatesRequest) -> ListRuleTemplatesResponse { rows }
            = rule_template::list;

        read list_phased(ListPhasedRequest) -> ListPhasedResponse { rows } = phased::list;
        read get_phased(GetPhasedRequest) -> GetPhasedResponse = phased::show;
        change create_phased(CreatePhasedRequest) -> CreatePhasedResponse = phased::create;
        change change_phased(ChangePhasedRequest) -> ChangePhasedResponse = phased::change;
        change pause_phased(PausePhasedRequest) -> PausePhasedResponse { row } = phased::pause;
        change resume_phased(ResumePhasedRequest) -> ResumePhasedResponse { row } = phased::resume;
        change start_next_phase(StartNextPhaseRequest) -> StartNextPhaseResponse
            = phased::start_next;
        change delete_phased(DeletePhasedRequest) -> DeletePhasedResponse { kept } = phased::delete;
        read list_approvals(ListApprovalsRequest) -> ListApprovalsResponse { rows }
            = approval::list;
        read list_updates_to_approve(ListUpdatesToApproveRequest)
            -> ListUpdatesToApproveResponse { rows } = approval::to_approve;
        change set_approvals(SetApprovalsRequest) -> SetApprovalsResponse = approval::set;
        change remove_approvals(RemoveApprovalsRequest) -> RemoveApprovalsResponse { removed }
            = approval::remove;

        read list_settings(ListSettingsRequest) -> ListSettingsResponse { rows }
            = client_settings::settings;
        read list_settings_profiles(ListSettingsProfilesRequest)
            -> ListSettingsProfilesResponse { rows } = client_settings::list;
        read get_settings_profile(GetSettingsProfileRequest) -> GetSettingsProfileResponse
            = client_settings::show;
        change create_settings_profile(CreateSettingsProfileRequest)
            -> CreateSettingsProfileResponse { code } = client_settings::create;
        change set_settings(SetSettingsRequest) -> SetSettingsResponse = client_settings::set;
        change deploy_settings_profile(DeploySettingsProfileRequest)
            -> DeploySettingsProfileResponse { row } = client_settings::deploy;
        change delete_settings_profile(DeleteSettingsProfileRequest)
            -> DeleteSettingsProfileResponse = client_settings::delete;
        task get_resultant_settings(GetResultantSettingsRequest) -> GetResultantSettingsResponse
            = client_settings::resultant;
        read list_windows(ListWindowsRequest) -> ListWindowsResponse { rows } = window::list;
        read get_window(GetWindowRequest) -> GetWindowResponse = window::show;
        change create_window(CreateWindowRequest) -> CreateWindowResponse = window::create;
        change set_window_enabled(SetWindowEnabledRequest) -> SetWindowEnabledResponse
            = window::set_enabled;
        change delete_window(DeleteWindowRequest) -> DeleteWindowResponse = window::delete;
        read next_windows(NextWindowsRequest) -> NextWindowsResponse = window::next;
        change set_update_settings(SetUpdateSettingsRequest)
            -> SetUpdateSettingsResponse { rows } = update_settings::set;
        read get_update_settings(GetUpdateSettingsRequest) -> GetUpdateSettingsResponse { rows }
            = update_settings::show;

        read get_compliance_summary(GetComplianceSummaryRequest) -> GetComplianceSummaryResponse
            = compliance::summary;
        read get_update_compliance(GetUpdateComplianceRequest)
            -> GetUpdateComplianceResponse = compliance::update;
        read get_client_compliance(GetClientComplianceRequest) -> GetClientComplianceResponse
            = compliance::client;
        read get_group_compliance(GetGroupComplianceRequest) -> GetGroupComplianceResponse { rows }
            = compliance::of_group;
        read get_deployment_compliance(GetDeploymentComplianceRequest)
            -> GetDeploymentComplianceResponse = compliance::of_deployment;
        read get_collection_compliance(GetCollectionComplianceRequest)
            -> GetCollectionComplianceResponse { rows } = compliance::of_collection;

        change start_sync(StartSyncRequest) -> StartSyncResponse { after } = sync::start;
        read get_sync_status(GetSyncStatusRequest) -> GetSyncStatusResponse = sync::status;
        read list_sync_runs(ListSyncRunsRequest) -> ListSyncRunsResponse { rows } = sync::history;
        change cancel_sync(CancelSyncRequest) -> CancelSyncResponse { number } = sync::cancel;
        read get_sync_schedule(GetSyncScheduleRequest) -> GetSyncScheduleResponse { row }
            = sync::schedule;
        change set_sync_schedule(SetSyncScheduleRequest) -> SetSyncScheduleResponse { row }
            = sync::set_schedule;
        read get_supersedence_rule(GetSupersedenceRuleRequest)
            -> GetSupersedenceRuleResponse { row }
            = sync::supersedence;
        change set_supersedence_rule(SetSupersedenceRuleRequest)
            -> SetSupersedenceRuleResponse { row }
            = sync::set_supersedence;
        read get_sync_source(GetSyncSourceRequest) -> GetSyncSourceResponse { row }
            = sync::source;
        change set_sync_source(SetSyncSourceRequest) -> SetSyncSourceResponse { row }
            = sync::set_source;
        read get_sync_languages(GetSyncLanguagesRequest) -> GetSyncLanguagesResponse
            = languages::show;
        change set_sync_languages(SetSyncLanguagesRequest) -> SetSyncLanguagesResponse
            = languages::set;

        read get_cleanup(GetCleanupRequest) -> GetCleanupResponse = cleanup::show;
        change run_cleanup(RunCleanupRequest) -> RunCleanupResponse { after } = cleanup::run;
        change set_cleanup(SetCleanupRequest) -> SetCleanupResponse { age_days } = cleanup::set;

        read list_categories(ListCategoriesRequest) -> ListCategoriesResponse { rows }
            = category::list;
        change set_subscription(SetSubscriptionRequest) -> SetSubscriptionResponse { rows }
            = category::subscribe;
        change acknowledge_categories(AcknowledgeCategoriesRequest)
            -> AcknowledgeCategoriesResponse { rows } = category::acknowledge;

        read get_update(GetUpdateRequest) -> GetUpdateResponse = update::show;
        change decline_updates(DeclineUpdatesRequest) -> DeclineUpdatesResponse
            = decline::decline;
        change reinstate_updates(ReinstateUpdatesRequest) -> ReinstateUpdatesResponse
            = decline::reinstate;

        change import_catalog(ImportCatalogRequest) -> ImportCatalogResponse { id }
            = catalog::import;
        read get_catalog_import(GetCatalogImportRequest) -> GetCatalogImportResponse
            = catalog::show;
        change export_catalog(ExportCatalogRequest) -> ExportCatalogResponse { id }
            = catalog::export;
        change get_catalog_export(GetCatalogExportRequest) -> GetCatalogExportResponse
            = catalog::export_part;
        read list_catalog_bundles(ListCatalogBundlesRequest)
            -> ListCatalogBundlesResponse { rows } = catalog::bundles;
        read list_trusted_hierarchies(ListTrustedHierarchiesRequest)
            -> ListTrustedHierarchiesResponse { rows } = catalog::trusted;
        change distrust_hierarchy(DistrustHierarchyRequest)
            -> DistrustHierarchyResponse { hierarchy } = catalog::distrust;

        task upload_content(UploadContentRequest) -> UploadContentResponse = publishing::upload;
        task sign_content(SignContentRequest) -> SignContentResponse { signature }
            = publishing::sign;
        task publish_update(PublishUpdateRequest) -> PublishUpdateResponse { id }
            = publishing::publish;
        change publish_content(PublishContentRequest) -> PublishContentResponse { id }
            = publishing::publish_content;
        read get_catalog_errand(GetCatalogErrandRequest) -> GetCatalogErrandResponse
            = publishing::errand;
        read list_catalog_subscriptions(ListCatalogSubscriptionsRequest)
            -> ListCatalogSubscriptionsResponse { rows } = publishing::subscriptions;
        change subscribe_catalog(SubscribeCatalogRequest) -> SubscribeCatalogResponse { id }
            = publishing::subscribe;
        change unsubscribe_catalog(UnsubscribeCatalogRequest)
            -> UnsubscribeCatalogResponse { name } = publishing::unsubscribe;
        change refresh_catalog(RefreshCatalogRequest) -> RefreshCatalogResponse { id }
            = publishing::refresh;
        task get_signing_certificate(GetSigningCertificateRequest)
            -> GetSigningCertificateResponse = publishing::certificate;
        task rotate_signing_certificate(RotateSigningCertificateRequest)
            -> RotateSigningCertificateResponse { row } = publishing::rotate;

        change create_package(CreatePackageRequest) -> CreatePackageResponse { row }
            = package::create;
        read list_packages(ListPackagesRequest) -> ListPackagesResponse { rows } = package::list;
        read get_package(GetPackageRequest) -> GetPackageResponse = package::show;
        change download_package(DownloadPackageRequest) -> DownloadPackageResponse { wanted }
            = package::download;
        change distribute_package(DistributePackageRequest) -> DistributePackageResponse { rows }
            = package::distribute;
        change remove_from_package(RemoveFromPackageRequest) -> RemoveFromPackageResponse
            = package::remove;
        change delete_package(DeletePackageRequest) -> DeletePackageResponse = package::delete;
        change redistribute_package(RedistributePackageRequest)
            -> RedistributePackageResponse { rows } = package::redistribute;
        read get_content_status(GetContentStatusRequest) -> GetContentStatusResponse { rows }
            = content::status;
        read list_distribution_points(ListDistributionPointsRequest)
            -> ListDistributionPointsResponse { rows } = content::points;
        read get_distribution_point(GetDistributionPointRequest) -> GetDistributionPointResponse
            = content::point;
    }
    many answers {
        FollowStatusMessagesStream: read follow_status_messages(FollowStatusMessagesRequest)
            -> FollowStatusMessagesResponse = status_message::follow;
        ListUpdatesStream: read list_updates(ListUpdatesRequest) -> ListUpdatesResponse
            = update::list;
        ListBoundariesStream: read list_boundaries(ListBoundariesRequest) -> ListBoundariesResponse
            = boundary::list;
        ListClientsStream: read list_clients(ListClientsRequest) -> ListClientsResponse
            = client::list;
        ListCollectionMembersStream: read list_collection_members(ListCollectionMembersRequest)
            -> ListCollectionMembersResponse = collection::list_members;
        PreviewQueryStream: read preview_query(PreviewQueryRequest) -> PreviewQueryResponse
            = collection::preview;
    }
}
