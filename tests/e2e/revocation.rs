//! Whoever was removed is refused everywhere, also where the site server is not reached.

use crate::harness::rows;
use crate::main_job::{AGENT, MP, Plant};

#[test]
fn a_removed_client_is_refused_by_its_management_point_alone() {
    let mut plant = Plant::new();
    plant.start(AGENT);
    let url = plant.hierarchy.url(7540);
    let mut id = None;
    plant.hierarchy.wait_until("the client is known", || {
        let list = ["client", "list", "--server", &url, "-o", "json"];
        let clients = rows(&plant.hierarchy.tierline(&list));
        id = clients.first().and_then(|row| row["id"].as_str().map(str::to_owned));
        id.is_some()
    });
    let id = id.expect("it was waited for");
    plant.hierarchy.tierline(&["client", "remove", &id, "--server", &url]);
    plant.process(MP).wait_for("the list of revoked certificates has changed");

    // What the management point heard it keeps, and needs nobody to act on it.
    for name in ["PR1", MP, AGENT] {
        plant.stop(name);
    }
    plant.start(MP);
    plant.start(AGENT);
    plant.process(AGENT).wait_for("the certificate was revoked");
}
