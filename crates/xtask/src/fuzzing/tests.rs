use super::*;

#[test]
fn the_targets_are_those_of_the_manifest_and_have_their_sources() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut named = targets(&manifest).unwrap();
    named.push(CANARY.to_owned());
    named.sort();
    let sources = fs::read_dir(folder.join("targets")).unwrap();
    let sources = sources.map(|source| source.unwrap().file_name().into_string().unwrap());
    let mut sources: Vec<_> = sources.map(|name| name.replace(".rs", "")).collect();
    sources.sort();
    assert_eq!(named, sources);
}

#[test]
fn a_run_is_told_in_numbers_and_a_failure_by_its_panic() {
    let said = "Done 9 runs in 1 second(s)\nstat::number_of_executed_units: 9\n\
                stat::average_exec_per_sec:     8\nstat::peak_rss_mb:              33\n";
    let told = |is_good, said: &str| summary(&Outcome { is_good, said: said.to_owned() });
    assert_eq!(told(true, said), "9 inputs, 8 a second, at most 33 MiB");
    let said = "noise\nthread panicked at x\nfor this reason\nTest unit written to y\n";
    let expected = "FAILED\nthread panicked at x\nfor this reason\nTest unit written to y\n\
                    Test unit written to y";
    assert_eq!(told(false, said), expected);
}
