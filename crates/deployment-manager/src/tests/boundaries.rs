//! Server lists by boundary groups.

use model::{Boundary, BoundaryGroup, BoundaryLink, ClientRecord, Fallback, Neighbor};

use super::*;

impl World {
    async fn servers(&self, client: u128) -> String {
        let head = self.head(client, 1).await;
        let verified = self.verified(client, &head);
        verified.lines().nth(1).expect("servers").to_owned()
    }

    fn see(&self, number: u128, address: &str) {
        let address = Some(address.parse().expect("an address"));
        let record = ClientRecord { address, ..objects::client(number, "PR1") };
        self.write(Group::Clients, Own::put(&record));
    }
}

#[tokio::test]
async fn clients_of_a_boundary_group_share_a_list_of_its_servers() {
    let world = world();
    for (number, address) in [(12, "10.1.0.1"), (13, "10.1.0.2"), (14, "10.9.0.1")] {
        world.see(number, address);
    }
    world.write(Group::Topology, role(5, "PR1", RoleKind::SoftwareUpdatePoint));
    world.step().await;
    let everybody = "servers PR1/sup https://1.PR1 PR1/sup https://5.PR1 PR1/mp https://2.PR1";
    assert_eq!(world.servers(12).await, everybody);

    let scope = "10.1.0.0/16".parse().expect("a boundary");
    let boundary = Boundary::new(object("PR100001"), scope, String::new()).expect("good");
    let (mut own, mut next) = (
        BoundaryGroup::new(object("PR100001"), "own".to_owned()),
        BoundaryGroup::new(object("PR100002"), "next".to_owned()),
    );
    own.boundaries.insert(object("PR100001"));
    own.systems.insert(RoleId(id(5)));
    next.systems.insert(RoleId(id(1)));
    let fallback = Fallback { sup: Some(45), ..Fallback::default() };
    own.relate(BoundaryLink { to: Neighbor::Group(object("PR100002")), fallback });
    let changes = vec![Own::put(&boundary), Own::put(&own), Own::put(&next)];
    world.db.write_blocking(move |w| w.write_own(Group::Topology, changes)).expect("written");
    world.step().await;
    // The update point of the group, the other when its time has come; the management point is in
    // no group and the only one.
    let inside = "servers PR1/sup https://5.PR1 PR1/sup https://1.PR1 after 45 minutes \
                  PR1/mp https://2.PR1";
    assert_eq!(
        (world.servers(12).await.as_str(), world.servers(13).await.as_str()),
        (inside, inside)
    );
    // Outside of all groups nothing has changed.
    assert_eq!(world.servers(14).await, everybody);
    // Who moves gets another list.
    world.see(14, "10.1.0.3");
    world.step().await;
    assert_eq!(world.servers(14).await, inside);
}
