//! Groups, collections, deployments and what clients say of them.

use compliance::Board;
use expect_test::expect;
use model::{Detail, EnforcementState, Group, Item, UpdateId, Vector};
use site_db::Own;
use testkit::objects::{self, item};
use tonic::Code;

use super::*;

fn update(number: u128) -> String {
    UpdateId(uuid::Uuid::from_u128(number)).to_string()
}

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

/// Client 8 failed to install update 1 and has update 2.
fn vector() -> Vector {
    Vector {
        client: client(8),
        incarnation: 1,
        serial: 1,
        covered: 1,
        scanned_at: at(0),
        scan_error: None,
        gap: false,
        required: vec![1],
        installed: vec![2],
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: vec![Detail { item: 1, state: EnforcementState::Failed, code: 5, at: at(0) }],
    }
}

/// A stand-alone primary with updates 1, 2 and the expired 3, and clients 8 and 9.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let items = [1, 2, 3].map(|n| Own::put(&Item { expired: n == 3, ..item(n) }));
        w.write_own(Group::Catalog, items.to_vec())?;
        let clients = [8, 9].map(|number| Own::put(&objects::client(number, "PR1")));
        w.write_own(Group::Clients, clients.to_vec())?;
        let parked = Vec::new();
        w.write_holding(&compliance::Holding { vector: vector(), parked })
    });
    written.await.expect("written");
    site
}

impl Site {
    async fn group(&self, updates: &[u128]) -> Result<String, Status> {
        let (name, updates) = ("Monthly".to_owned(), updates.iter().map(|n| update(*n)).collect());
        let request = pb::CreateGroupRequest { name, updates, ..Default::default() };
        let answer = self.admin().create_group(request).await?;
        Ok(answer.into_inner().code)
    }

    async fn deploy(&self, request: pb::CreateDeploymentRequest) -> Result<String, Status> {
        Ok(self.admin().create_deployment(request).await?.into_inner().id)
    }
}

fn monthly(group: &str) -> pb::CreateDeploymentRequest {
    let (name, intent) = ("Monthly".to_owned(), "required".to_owned());
    pb::CreateDeploymentRequest { name, group: group.to_owned(), intent, ..Default::default() }
}

#[test]
fn groups_are_changed_by_their_owner_until_they_are_deployed() {
    run(async {
        let site = site().await;
        expect!["NotFound: there is no update 00000000-0000-0000-0000-000000000007; see `tierline update list`"]
            .assert_eq(&refusal(site.group(&[1, 7]).await));
        let code = site.group(&[1, 1]).await.expect("made");
        let change = |add: &[u128]| {
            let add = add.iter().map(|n| update(*n)).collect();
            let (code, remove) = (code.clone(), vec![update(1)]);
            pb::ChangeGroupRequest { code, add, remove, ..Default::default() }
        };
        expect!["AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000003 (expired); leave them out"].assert_eq(&refusal(site.admin().change_group(change(&[2, 3])).await));
        site.admin().change_group(change(&[2])).await.told();
        let shown = site.admin().get_group(pb::GetGroupRequest { code: code.clone() }).await.told();
        let members =
            shown.members.iter().map(|m| format!("{}/{} {}", m.id, m.revision, m.expired));
        let shown = format!("{:?} {:#?}", shown.row, members.collect::<Vec<_>>());
        expect![[r#"
            Some(Group { code: "PR100001", name: "Monthly", owner: "PR1", updates: 1, expired: 0, declined: 0, superseded: 0, missing: 0, mark: "normal", description: "", origin: "hand" }) [
                "00000000-0000-0000-0000-000000000002/1 false",
            ]"#]]
        .assert_eq(&shown);
        let id = site.deploy(monthly(&code)).await.expect("deployed");
        let delete = pb::DeleteGroupRequest { code: code.clone() };
        let refused = refusal(site.admin().delete_group(delete.clone()).await);
        assert!(
            refused.starts_with("AlreadyExists: update group PR100001 is deployed"),
            "{refused}"
        );
        site.admin().delete_deployment(pb::DeleteDeploymentRequest { id }).await.told();
        site.admin().delete_group(delete).await.told();
        // A code is never given again.
        assert_eq!(site.group(&[]).await.expect("made"), "PR100002");
    });
}

#[test]
fn a_deployment_is_read_as_it_was_meant() {
    run(async {
        let site = site().await;
        let group = site.group(&[1]).await.expect("made");
        let late = rpc::convert::wire_time(at(-1));
        let available =
            pb::CreateDeploymentRequest { intent: "available".to_owned(), ..monthly(&group) };
        for request in [
            monthly("PR100009"),
            pb::CreateDeploymentRequest { collection: "PR100009".to_owned(), ..monthly(&group) },
            pb::CreateDeploymentRequest { deadline: Some(late), ..monthly(&group) },
            pb::CreateDeploymentRequest { deadline: Some(late), ..available.clone() },
            pb::CreateDeploymentRequest { intent: String::new(), ..available },
        ] {
            site.deploy(request).await.expect_err("it is a mistake");
        }
        let id = site.deploy(monthly(&group)).await.expect("deployed");
        let disable = pb::SetDeploymentEnabledRequest { id: id.clone(), enabled: false };
        site.admin().set_deployment_enabled(disable).await.expect("changed");
        let shown =
            site.admin().list_deployments(pb::ListDeploymentsRequest::default()).await.told();
        let now = Some(rpc::convert::wire_time(at(0)));
        let expected = pb::Deployment {
            id,
            name: "Monthly".to_owned(),
            owner: "PR1".to_owned(),
            group,
            collection: "SMS00001".to_owned(),
            intent: "required".to_owned(),
            available_at: now,
            deadline: now,
            enabled: false,
            outcome: "not planned here yet".to_owned(),
            mark: "normal".to_owned(),
            effect: "install".to_owned(),
            ..Default::default()
        };
        assert_eq!(shown.rows, [expected]);
    });
}

#[test]
fn compliance_is_told_from_the_board_and_the_vectors() {
    run(async {
        let site = site().await;
        let group = site.group(&[1, 2]).await.expect("made");
        let clients = vec![client(9).to_string()];
        let request = pb::CreateCollectionRequest {
            name: "Pilots".to_owned(),
            clients,
            ..Default::default()
        };
        let pilots = site.admin().create_collection(request).await.told().code;
        let all = site.deploy(monthly(&group)).await.expect("deployed");
        let request = pb::CreateDeploymentRequest {
            name: "Of pilots".to_owned(),
            collection: pilots.clone(),
            ..monthly(&group)
        };
        site.deploy(request).await.expect("deployed");
        // It expired after the group was made.
        let code = model::ObjectCode::new(&group).expect("a code");
        let updates = [1, 2, 3].map(|n| objects::item(n).update.id).to_vec();
        let grown = model::UpdateGroup::plain(code, "Monthly".to_owned(), updates);
        site.db.write(move |w| w.put_own(&grown)).await.expect("written");
        let ask = pb::GetDeploymentComplianceRequest { id: all };
        let warming = site.admin().get_deployment_compliance(ask.clone()).await;
        assert_eq!(warming.expect_err("no board yet").code(), Code::Unavailable);
        site.board.replace(Board::rebuild([client(8), client(9)], [vector()]));

        let told = site.admin().get_deployment_compliance(ask).await.told();
        let row = told.row.expect("a row");
        let counts = |row: &pb::DeploymentCompliance| {
            [row.targeted, row.compliant, row.in_progress, row.failed, row.unknown]
        };
        assert_eq!((counts(&row), told.updates.len()), ([2, 0, 0, 1, 1], 2));
        let of_pilots = pb::GetCollectionComplianceRequest { code: pilots.clone() };
        let rows = site.admin().get_collection_compliance(of_pilots).await.told().rows;
        assert_eq!(counts(&rows[0]), [1, 0, 0, 0, 1]);
        let all = pb::GetComplianceSummaryRequest {};
        let summary = site.admin().get_compliance_summary(all).await.told();
        assert_eq!((summary.clients, summary.updates, summary.updates_required), (2, 2, 1));
        assert_eq!(summary.deployments.len(), 2);
        let of_group = pb::GetGroupComplianceRequest { code: group };
        let rows = site.admin().get_group_compliance(of_group).await.told().rows;
        assert_eq!(rows[1].installed, 1);
        let one = |id| pb::GetUpdateComplianceRequest { id };
        site.admin().get_update_compliance(one(update(3))).await.expect_err("it is expired");
        let row = site.admin().get_update_compliance(one(update(1))).await.told().row;
        assert_eq!(row.expect("a row").required, 1);

        let of = async |number| {
            let request = pb::GetClientComplianceRequest { id: client(number).to_string() };
            let told = site.admin().get_client_compliance(request).await.told();
            let row = told.row.expect("a row");
            let states =
                told.states.iter().map(|s| format!("{} {} {}", s.state, s.progress, s.code));
            let counts = [row.required, row.installed, row.not_required, row.unknown];
            format!("{counts:?} {}: {}", row.reason, states.collect::<Vec<_>>().join(", "))
        };
        assert_eq!(of(8).await, "[1, 1, 0, 0] : required failed 5, installed  0");
        assert_eq!(of(9).await, "[0, 0, 0, 2] no report received: ");

        let rows = site.admin().list_collections(pb::ListCollectionsRequest {}).await.told().rows;
        let rows: Vec<_> = rows.iter().map(|row| format!("{} {}", row.code, row.members)).collect();
        let pilots_row = format!("{pilots} 1");
        let all = ["SMS00001 2", "SMS00002 2", "SMS00003 0", "SMS00004 0", &pilots_row];
        assert_eq!(rows, all);
        let of_pilots = pb::ListCollectionMembersRequest { code: pilots };
        let mut members = site.admin().list_collection_members(of_pilots).await.told();
        let page = members.message().await.expect("read").expect("a page");
        assert_eq!(page.rows[0].name, "client 9");
    });
}

/// Symptom: the same sentence lay in the vector of every computer whose scan failed, at every site.
/// Repair: the code does, and what it means is said where it is shown.
#[test]
fn a_code_of_a_failed_scan_is_explained_where_it_is_shown() {
    run(async {
        let site = site().await;
        let reason = async |said: &str| {
            let scan_error = Some(said.to_owned());
            let vector = Vector { client: client(9), scan_error, ..vector() };
            let holding = compliance::Holding { vector, parked: Vec::new() };
            site.db.write(move |w| w.write_holding(&holding)).await.expect("written");
            let request = pb::GetClientComplianceRequest { id: client(9).to_string() };
            let told = site.admin().get_client_compliance(request).await.told();
            told.row.expect("a row").reason
        };
        let code = reason("0x8024401C").await;
        let expected = "scan failed: 0x8024401C WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT: ";
        assert!(code.starts_with(expected), "{code}");
        assert_eq!(reason("no disk").await, "scan failed: no disk");
    });
}

#[test]
fn clients_are_woken_and_removed() {
    run(async {
        let site = site().await;
        let scan = async |ids: &[u128]| {
            let ids = ids.iter().map(|number| client(*number).to_string()).collect();
            site.admin().scan_clients(pb::ScanClientsRequest { ids }).await
        };
        assert_eq!(scan(&[9]).await.told().clients, 1);
        assert_eq!(scan(&[]).await.told().clients, 2);
        assert_eq!(scan(&[7]).await.expect_err("unknown").code(), Code::NotFound);
        assert_eq!(*site.scanned.lock().expect("whole"), [client(9), client(8), client(9)]);
        let refresh = pb::RefreshClientsRequest { ids: vec![client(8).to_string()] };
        assert_eq!(site.admin().refresh_clients(refresh).await.told().clients, 1);
        assert_eq!(site.scanned.lock().expect("whole").last(), Some(&client(8)));
        let wanted = [8, 9].map(|number| {
            site.db.read_blocking(move |r| r.wants_everything(client(number))).expect("read")
        });
        assert_eq!(wanted, [true, false], "until it has said everything");
        let id = client(8).to_string();
        let request = pb::RemoveClientRequest { id: id.clone(), reason: "sold".to_owned() };
        let identity = site.admin().remove_client(request).await.told().identity;
        let revoked = site.db.read(move |r| r.get::<model::Revocation>(identity.as_bytes())).await;
        assert_eq!(revoked.expect("read").expect("a revocation").reason, "sold");
        assert_eq!(site.db.read(|r| r.vector(client(8))).await.expect("read"), None);
        let gone = site.admin().get_client(pb::GetClientRequest { id }).await;
        assert_eq!(gone.expect_err("it is gone").code(), Code::NotFound);
    });
}
