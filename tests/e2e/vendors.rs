//! Catalogs of vendors on their way from an upstream server to every site.

use testkit::reference::vendor_catalogs;

use crate::harness::rows;
use crate::main_job::Plant;

/// Updates of the sample that administrators see.
const SAMPLE: usize = 40;

#[test]
fn vendor_catalogs_reach_every_site_whole() {
    let name = "vendor_catalogs_reach_every_site_whole";
    let Some((catalogs, expected)) = vendor_catalogs(name) else { return };
    assert!(expected > 1_000, "{expected}");
    let plant = Plant::of_update_points(&catalogs);
    plant.synchronize();
    for port in [7440, 7540, 7640] {
        let url = plant.hierarchy.url(port);
        let updates = plant.hierarchy.tierline(&["update", "list", "--server", &url, "-o", "json"]);
        assert_eq!(rows(&updates).len(), expected + SAMPLE, "{url}");
    }
}
