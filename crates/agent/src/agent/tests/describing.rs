//! A computer is described to the management point: everything, then what changed.

use super::*;

const FACTS: &str = "id = \"debian\"\narchitecture = \"amd64\"\n[packages]\nbash = \"5\"\n";

#[tokio::test]
async fn what_changed_is_told_and_everything_to_a_site_that_lacks_something() {
    let world = World::new().await;
    let path = world.directory.path().join("facts.toml");
    let start = async |facts: &str| {
        std::fs::write(&path, facts).expect("writes");
        let mut agent = world.agent(PretendedMachine::open(&path).expect("opens")).await;
        agent.step().await.expect("a pass");
        world.clock.advance_ms(2 * 60 * 1_000);
        agent.step().await.expect("a pass");
        let reports = std::mem::take(&mut world.mp.lock().inventories).into_iter();
        let names = |software: &[rpc::pb::object::Software]| -> Vec<String> {
            software.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
        };
        let said = reports.map(|report| {
            let (added, removed) = (names(&report.added), names(&report.removed));
            format!("{} full={} +{added:?} -{removed:?}", report.serial, report.full)
        });
        said.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(start(FACTS).await, r#"1 full=true +["bash 5"] -[]"#);
    assert_eq!(start(FACTS).await, "", "nothing is new");
    let newer = FACTS.replace("bash = \"5\"", "bash = \"6\"\ncurl = \"8\"");
    assert_eq!(start(&newer).await, r#"2 full=false +["bash 6", "curl 8"] -["bash 5"]"#);
    world.mp.lock().lacks_inventory = true;
    let shown = "3 full=false +[] -[\"bash 6\", \"curl 8\"]\n4 full=true +[] -[]";
    let none = "id = \"debian\"\narchitecture = \"amd64\"\n";
    assert_eq!(start(none).await, shown);
}
