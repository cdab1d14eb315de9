//! Boundaries, their groups, and what follows from an address.

use expect_test::{Expect, expect};
use model::{ClientRecord, Group, RoleId, RoleKind, RoleRecord, SiteRecord};
use site_db::Own;
use testkit::objects;
use uuid::Uuid;

use super::*;

fn role(number: u128, kind: RoleKind, name: &str) -> Own {
    Own::put(&RoleRecord {
        id: RoleId(Uuid::from_u128(number)),
        site: code("PR1"),
        kind,
        name: name.to_owned(),
        url: format!("https://{name}"),
        http_url: String::new(),
        joined_at: Timestamp(0),
    })
}

/// A stand-alone primary with three distribution points, one of which runs beside a management
/// point, an update point, and client 8, seen at 10.2.0.8.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let roles = vec![
            role(1, RoleKind::DistributionPoint, "BER-DP"),
            role(2, RoleKind::DistributionPoint, "BONN"),
            role(3, RoleKind::ManagementPoint, "BONN"),
            role(4, RoleKind::DistributionPoint, "SPARE"),
            role(5, RoleKind::SoftwareUpdatePoint, "SUP"),
        ];
        w.write_own(Group::Topology, roles)?;
        let address = Some("10.2.0.8".parse().expect("an address"));
        let client = ClientRecord { address, ..objects::client(8, "PR1") };
        w.write_own(Group::Clients, vec![Own::put(&client)])
    });
    written.await.expect("written");
    site
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

impl Site {
    async fn boundaries(&self, scopes: &[&str]) -> Result<Vec<pb::Boundary>, Status> {
        let (scopes, description) = (texts(scopes), "a floor".to_owned());
        let request = pb::CreateBoundariesRequest { scopes, description };
        Ok(self.admin().create_boundaries(request).await?.into_inner().rows)
    }

    async fn boundary_group(
        &self,
        name: &str,
        boundaries: &[&str],
        systems: &[&str],
    ) -> Result<String, Status> {
        let request = pb::CreateBoundaryGroupRequest {
            name: name.to_owned(),
            boundaries: texts(boundaries),
            systems: texts(systems),
            assigned_site: "PR1".to_owned(),
        };
        Ok(self.admin().create_boundary_group(request).await?.into_inner().code)
    }

    async fn change_boundary_group(
        &self,
        change: pb::ChangeBoundaryGroupRequest,
    ) -> Result<pb::BoundaryGroup, Status> {
        let answer = self.admin().change_boundary_group(change).await?.into_inner();
        Ok(answer.row.expect("a row"))
    }

    /// Every group by name, and how many servers are in it.
    async fn groups_with_systems(&self) -> Vec<String> {
        let rows = self.admin().list_boundary_groups(pb::ListBoundaryGroupsRequest {}).await;
        let rows = rows.told().rows.into_iter();
        rows.map(|row| format!("{} {}", row.name, row.systems)).collect()
    }

    /// Where an address is and what is used from there, in lines.
    async fn which(&self, address: &str, client: &str) -> String {
        let (address, client) = (address.to_owned(), client.to_owned());
        let request = pb::ExplainAddressRequest { address, client };
        let answer = self.admin().explain_address(request).await.told();
        let place = answer.row.expect("a row");
        let names: Vec<_> = answer.groups.into_iter().map(|group| group.name).collect();
        let (of, names) = (answer.boundaries.len(), names.join("+"));
        let assigned = place.assigned_site;
        let mut text = format!(
            "{} of {}: {of} boundaries, groups [{names}], assigns [{assigned}], peers {}\n",
            place.address, place.site, place.peers
        );
        for server in answer.servers {
            let pb::UsableServer { kind, name, after_minutes, group, relation, .. } = server;
            text += &format!("{kind} {name} after {after_minutes} {relation} {group}\n");
        }
        text
    }

    async fn check_which(&self, address: &str, client: &str, expect: Expect) {
        expect.assert_eq(&self.which(address, client).await);
    }
}

#[test]
fn an_address_leads_to_its_groups_and_servers() {
    run(async {
        let site = site().await;
        // Without groups, everything of the site is used.
        let before = expect![[r#"
            10.2.0.8 of PR1: 0 boundaries, groups [], assigns [], peers true
            mp BONN after 0 default Default-Site-Boundary-GroupPR1
            sup SUP after 0 last_resort Default-Site-Boundary-GroupPR1
            dp BER-DP after 0 default Default-Site-Boundary-GroupPR1
            dp BONN after 0 default Default-Site-Boundary-GroupPR1
            dp SPARE after 0 default Default-Site-Boundary-GroupPR1
        "#]];
        site.check_which("10.2.0.8", "", before).await;
        let made = site.boundaries(&["10.1.0.0/16", "10.2.0.0-10.2.0.99", "vpn auto"]).await;
        let made = made.expect("made");
        let names: Vec<_> = made.iter().map(|b| format!("{} {}", b.code, b.name)).collect();
        assert_eq!(
            names,
            [
                "PR100001 IP subnet 10.1.0.0/16",
                "PR100002 IP address range 10.2.0.0-10.2.0.99",
                "PR100003 VPN"
            ]
        );
        let berlin = site.boundary_group("Berlin", &["PR100001"], &["BER-DP", "SUP"]).await;
        let berlin = berlin.expect("made");
        // A machine's name brings all its roles.
        let bonn = site.boundary_group("Bonn", &["PR100002"], &["BONN"]).await.expect("made");
        let link = |to: &str, dp: &str| pb::BoundaryLink {
            to: to.to_owned(),
            dp: dp.to_owned(),
            ..pb::BoundaryLink::default()
        };
        let change = pb::ChangeBoundaryGroupRequest {
            code: bonn.clone(),
            relate: vec![link(&berlin, "30"), link("Default-Site-Boundary-GroupPR1", "never")],
            peers: Some(false),
            ..Default::default()
        };
        assert_eq!(site.change_boundary_group(change).await.expect("changed").links, 2);
        let id = ClientId(Uuid::from_u128(8)).to_string();
        let after = expect![[r#"
            10.2.0.8 of PR1: 1 boundaries, groups [Bonn], assigns [PR1], peers false
            mp BONN after 0 current PR100002
            sup SUP after 0 neighbor PR100001
            dp BONN after 0 current PR100002
            dp BER-DP after 30 neighbor PR100001
        "#]];
        site.check_which("", &id, after).await;
        let elsewhere = expect![[r#"
            10.1.0.8 of PR1: 1 boundaries, groups [Berlin], assigns [PR1], peers true
            mp BONN after 0 last_resort Default-Site-Boundary-GroupPR1
            sup SUP after 0 current PR100001
            dp BER-DP after 0 current PR100001
            dp SPARE after 120 default Default-Site-Boundary-GroupPR1
        "#]];
        site.check_which("10.1.0.8", &id, elsewhere).await;

        let shown = pb::GetBoundaryGroupRequest { code: bonn };
        let shown = site.admin().get_boundary_group(shown).await.told();
        let links: Vec<_> = shown
            .related
            .iter()
            .map(|l| format!("{} {} {} {} {}", l.to, l.dp, l.sup, l.mp, l.implied))
            .collect();
        assert_eq!(
            links,
            ["PR100001 30 120 120 false", "Default-Site-Boundary-GroupPR1 never 120 120 false"]
        );
        assert_eq!((shown.servers.len(), shown.peers), (2, false));
        let groups = site.groups_with_systems().await;
        assert_eq!(groups, ["Berlin 2", "Bonn 2", "Default-Site-Boundary-GroupPR1 1"]);
    });
}

#[test]
fn what_cannot_be_is_refused_with_its_remedy() {
    run(async {
        let site = site().await;
        site.boundaries(&["10.1.0.0/16"]).await.expect("made");
        let berlin = site.boundary_group("Berlin", &["PR100001"], &["BER-DP"]).await.expect("made");
        let bonn = site.boundary_group("Bonn", &[], &[]).await.expect("made");
        let change = |change: pb::ChangeBoundaryGroupRequest| {
            let code = bonn.clone();
            site.change_boundary_group(pb::ChangeBoundaryGroupRequest { code, ..change })
        };
        let link = |to: &str, dp: &str| pb::ChangeBoundaryGroupRequest {
            relate: vec![pb::BoundaryLink {
                to: to.to_owned(),
                dp: dp.to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        change(link(&berlin, "")).await.expect("changed");
        let delete_boundary = pb::DeleteBoundariesRequest { codes: texts(&["PR100001"]) };
        let delete_group = pb::DeleteBoundaryGroupRequest { code: berlin.clone() };
        let mut admin = site.admin();
        let refusals = [
            refusal(site.boundaries(&["10.1.0.0/16"]).await),
            refusal(site.boundaries(&["10.1.0.7/16"]).await),
            refusal(site.boundaries(&[]).await),
            refusal(admin.delete_boundaries(delete_boundary.clone()).await),
            refusal(admin.delete_boundary_group(delete_group.clone()).await),
            refusal(site.boundary_group("X", &["PR100009"], &[]).await),
            refusal(site.boundary_group("X", &[], &["NOBODY"]).await),
            refusal(site.boundary_group("", &[], &[]).await),
            refusal(change(link(&bonn, "5")).await),
            refusal(change(link(&berlin, "soon")).await),
            refusal(change(link("Default-Site-Boundary-GroupPR9", "5")).await),
        ];
        expect![[r#"
            AlreadyExists: boundary PR100001 already covers 10.1.0.0/16; put that one into the group
            InvalidArgument: boundary: "10.1.0.7/16" names a computer in it; write 10.1.0.0/16
            InvalidArgument: scopes: 0 boundaries; name 1 to 1000 at once
            AlreadyExists: boundary PR100001 is used by boundary group PR100001 (Berlin) of site PR1; take it out with `tierline boundary-group remove`
            AlreadyExists: boundary group PR100001 is used by a link of boundary group PR100002 (Bonn) of site PR1; end it with `tierline boundary-group relate … --end`
            NotFound: there is no boundary PR100009; see `tierline boundary list`
            NotFound: there is no role NOBODY; see `tierline role list`
            InvalidArgument: name: give one of 1 to 256 bytes
            InvalidArgument: link: PR100002 is the group itself; name another one
            InvalidArgument: minutes: "soon" is neither minutes nor never
            NotFound: there is no boundary group Default-Site-Boundary-GroupPR9; see `tierline boundary-group list`"#]]
        .assert_eq(&refusals.join("\n"));
        // Taken apart in the right order, everything goes.
        let unrelate = vec![berlin.clone()];
        change(pb::ChangeBoundaryGroupRequest { unrelate, ..Default::default() })
            .await
            .expect("ended");
        admin.delete_boundary_group(delete_group).await.told();
        admin.delete_boundaries(delete_boundary).await.told();
    });
}

#[test]
fn boundaries_are_changed_by_their_owner_only() {
    run(async {
        let site = site().await;
        let owner = Owner { code: code("PR2"), uuid: Uuid::from_u128(9) };
        let record = SiteRecord {
            code: owner.code,
            uuid: owner.uuid,
            kind: SiteKind::Primary,
            parent: None,
            name: String::new(),
            url: String::new(),
        };
        site.db.write(move |w| w.put_own(&record)).await.expect("written");
        // Each primary site has a default group.
        let groups = site.groups_with_systems().await;
        assert_eq!(
            groups,
            ["Default-Site-Boundary-GroupPR1 4", "Default-Site-Boundary-GroupPR2 0"]
        );
        let code = "Default-Site-Boundary-GroupPR1".to_owned();
        let shown =
            site.admin().get_boundary_group(pb::GetBoundaryGroupRequest { code }).await.told();
        // A software update point has to be put into a group.
        assert_eq!(shown.servers.iter().filter(|server| server.kind == "sup").count(), 0);
        assert_eq!(shown.servers.len(), 4);
        let code = "Default-Site-Boundary-GroupPR1".to_owned();
        let change = pb::ChangeBoundaryGroupRequest { code, ..Default::default() };
        let refused = refusal(site.change_boundary_group(change).await);
        assert!(refused.starts_with("InvalidArgument: object code"), "{refused}");
    });
}
