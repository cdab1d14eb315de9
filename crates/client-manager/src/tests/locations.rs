//! Who is sent where for content.

use model::{
    Boundary, BoundaryGroup, BoundaryLink, ContentFile, ContentManifest, ContentState,
    DistributionState, Fallback, Neighbor, ObjectCode, RoleId, RoleRecord, SiteRecord,
};

use super::*;

const FILE: Sha256 = Sha256([4; 32]);

fn point(number: u128, site: &str) -> RoleRecord {
    RoleRecord {
        id: RoleId(id(number)),
        site: code(site),
        kind: RoleKind::DistributionPoint,
        name: String::new(),
        url: format!("https://dp{number}.{site}"),
        http_url: format!("http://dp{number}.{site}"),
        joined_at: Timestamp(0),
    }
}

fn object(number: u32) -> ObjectCode {
    ObjectCode::numbered(code("PR1"), number).expect("a code")
}

/// PR1 with its secondary SE1, points 1 and 4 of PR1 and 2 of SE1 that have the file, and 3 of SE1
/// that has not.
fn site() -> Site {
    let (_, pr1) = sites();
    let state = |number: u128, state| DistributionState {
        package: object(1),
        version: 1,
        point: RoleId(id(number)),
        site: code("PR1"),
        state,
        files: 1,
        bytes: 1,
        reason: String::new(),
        at: Timestamp(0),
    };
    let mut states = [1, 2, 4].map(|number| state(number, ContentState::Installed)).to_vec();
    states.push(state(3, ContentState::Transferring));
    let files = vec![ContentFile { sha256: FILE, size: 1, name: "a".to_owned() }];
    let targets = [1, 2, 3, 4].map(|number| RoleId(id(number))).to_vec();
    let manifest = ContentManifest { package: object(1), version: 1, files, targets };
    let secondary = SiteRecord {
        code: code("SE1"),
        uuid: id(2),
        kind: SiteKind::Secondary,
        parent: Some(code("PR1")),
        name: String::new(),
        url: String::new(),
    };
    let points = [point(1, "PR1"), point(2, "SE1"), point(3, "SE1"), point(4, "PR1")];
    let points = points.iter().map(Own::put);
    pr1.write(Group::Topology, points.chain([Own::put(&manifest), Own::put(&secondary)]).collect());
    pr1.db.write_blocking(move |w| w.save_content_states(&states)).expect("written");
    pr1
}

impl Site {
    /// The points that have the file, as the client at `address` is told by the point of `caller`.
    async fn locate(&self, caller: &str, address: &str) -> Vec<String> {
        let address = Some(address).filter(|a| !a.is_empty()).map(|a| a.parse().expect("good"));
        let request = pb::GetLocationsRequest {
            // Nothing is said of a file that is nowhere yet.
            sha256: vec![FILE.0.to_vec(), vec![0; 32]],
            address: rpc::convert::wire_address(address),
            ..Default::default()
        };
        let answer = self.service.get_locations(from(caller, request)).await;
        let files = answer.expect("an answer").into_inner().files;
        assert_eq!(files.len(), 1);
        let line = |point: &pb::Point| format!("{} after {}", point.http_url, point.after_minutes);
        files[0].points.iter().map(line).collect()
    }
}

#[tokio::test]
async fn clients_are_sent_to_the_nearest_points() {
    let pr1 = site();
    let [first, near, other] =
        ["http://dp1.PR1 after 0", "http://dp2.SE1 after 0", "http://dp4.PR1 after 0"];
    assert_eq!(pr1.locate("SE1", "").await, [near, first, other]);
    assert_eq!(pr1.locate("PR1", "10.1.2.3").await, [first, other, near]);
}

#[tokio::test]
async fn boundary_groups_say_which_points_and_from_when() {
    let pr1 = site();
    let boundary = |number, scope: &str| {
        let scope = scope.parse().expect("a boundary");
        Boundary::new(object(number), scope, String::new()).expect("good")
    };
    let group = |number, boundary: u32, point: u128| {
        let mut group = BoundaryGroup::new(object(number), "a group".to_owned());
        group.boundaries.insert(object(boundary));
        group.systems.insert(RoleId(id(point)));
        group
    };
    let (berlin, mut bonn) = (group(10, 1, 1), group(20, 2, 4));
    let fallback = Fallback { dp: Some(30), ..Fallback::default() };
    bonn.relate(BoundaryLink { to: Neighbor::Group(object(10)), fallback });
    let places = [boundary(1, "10.1.0.0/16"), boundary(2, "10.2.0.1-10.2.0.9")];
    let objects = places.iter().map(Own::put).chain([Own::put(&berlin), Own::put(&bonn)]);
    pr1.write(Group::Topology, objects.collect());
    // Each its own; the neighbor when its time has come; then the point that is in no group.
    assert_eq!(
        pr1.locate("PR1", "10.1.2.3").await,
        ["http://dp1.PR1 after 0", "http://dp2.SE1 after 120"]
    );
    assert_eq!(
        pr1.locate("PR1", "10.2.0.5").await,
        ["http://dp4.PR1 after 0", "http://dp1.PR1 after 30", "http://dp2.SE1 after 120"]
    );
    assert_eq!(pr1.locate("PR1", "10.3.0.1").await, ["http://dp2.SE1 after 0"]);
    // What is changed counts with the next question.
    bonn.links.clear();
    pr1.write(Group::Topology, vec![Own::put(&bonn)]);
    assert_eq!(
        pr1.locate("PR1", "10.2.0.5").await,
        ["http://dp4.PR1 after 0", "http://dp2.SE1 after 120"]
    );
}
