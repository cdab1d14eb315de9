use super::*;

fn file(id: u8, size: u64) -> ContentFile {
    ContentFile { sha256: Sha256([id; 32]), size, name: format!("{id}.cab") }
}

/// Sizes of what is fetched in each round until nothing is missing.
fn rounds(wanted: &[ContentFile], limits: TransferLimits) -> Vec<Vec<u64>> {
    let (mut present, mut rounds) = (BTreeSet::new(), Vec::new());
    loop {
        let plan = plan_transfers(wanted, &present, limits);
        if plan.fetch.is_empty() {
            return rounds;
        }
        rounds.push(plan.fetch.iter().map(|file| file.size).collect());
        present.extend(plan.fetch.iter().map(|file| file.sha256));
    }
}

#[test]
fn only_what_is_missing_is_fetched_once_and_in_order() {
    let wanted = [file(1, 10), file(2, 20), file(1, 10), file(3, 30)];
    let present = BTreeSet::from([Sha256([2; 32])]);
    let limits = TransferLimits { files_max: 1, bytes_max: 1_000 };
    let plan = plan_transfers(&wanted, &present, limits);
    let expected = TransferPlan { fetch: vec![file(1, 10)], deferred_files: 1, deferred_bytes: 30 };
    assert_eq!(plan, expected);
}

#[test]
fn every_file_is_fetched_in_the_end_whatever_its_size() {
    let wanted = [file(1, 10), file(2, 500), file(3, 1), file(4, 90), file(5, 20)];
    let by_bytes = TransferLimits { files_max: 10, bytes_max: 100 };
    assert_eq!(rounds(&wanted, by_bytes), [vec![10], vec![500], vec![1, 90], vec![20]]);
    let by_files = TransferLimits { files_max: 2, bytes_max: u64::MAX };
    assert_eq!(rounds(&wanted, by_files), [vec![10, 500], vec![1, 90], vec![20]]);
}
