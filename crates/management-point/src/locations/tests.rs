use super::*;

fn file(number: usize, url: &str) -> FileLocations {
    let point = rpc::pb::management::Point { url: url.to_owned(), ..Default::default() };
    FileLocations { sha256: number.to_be_bytes().to_vec(), points: vec![point] }
}

/// Symptom: with the site away, clients were told of no distribution points, although all had been
/// told before. Cause: one answer too many for the memory emptied all of it, and with an address in
/// each entry that came often. Repair: the oldest goes, and of each file the last answer stays.
#[test]
fn the_oldest_answers_go_and_the_last_of_each_file_stays() {
    let mut locations = Locations::default();
    let files: Vec<FileLocations> = (0..9).map(|number| file(number, "first")).collect();
    locations.note(&[0], &files);
    let said = |locations: &Locations, address: &[u8], number: usize| {
        let said = locations.said(address, number.to_be_bytes().to_vec());
        said.map(|said| said.points[0].url.clone())
    };
    for address in 0..LOCATIONS_MAX / 8 {
        let answers: Vec<FileLocations> = (0..8).map(|number| file(number, "later")).collect();
        locations.note(&address.to_be_bytes(), &answers);
    }
    assert_eq!(said(&locations, &[0], 0).as_deref(), Some("later"), "the exact answer went");
    assert_eq!(said(&locations, &[0], 8).as_deref(), Some("first"), "and of this file is the last");
    assert_eq!(locations.exact.said.len(), LOCATIONS_MAX);
    locations.note(&[0], &[file(0, "again")]);
    assert_eq!(said(&locations, &[0], 0).as_deref(), Some("again"));
    assert_eq!(said(&locations, &[7, 7], 0).as_deref(), Some("again"));
    assert_eq!(said(&locations, &0_usize.to_be_bytes(), 7).as_deref(), Some("later"));
    let many: Vec<FileLocations> = (10..FILES_REMEMBERED + 10).map(|n| file(n, "other")).collect();
    locations.note(&[9], &many);
    assert_eq!(said(&locations, &[1, 1], 8), None);
    assert_eq!(locations.any.said.len(), FILES_REMEMBERED);
}
