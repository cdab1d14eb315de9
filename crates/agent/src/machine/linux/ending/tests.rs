use tempfile::TempDir;

use super::*;

#[test]
fn every_ending_is_read_as_it_was_kept() {
    let directory = TempDir::new().expect("a directory");
    let installs = directory.path();
    assert_eq!(Ending::kept(installs).expect("reads"), None);
    for ending in [Ending::Exited(194), Ending::Signaled(9), Ending::Overran, Ending::Refused(13)] {
        ending.keep(installs, "a-1").expect("is kept");
        assert_eq!(Ending::kept(installs).expect("reads"), Some(("a-1".to_owned(), ending)));
    }
    Ending::forget(installs).expect("goes");
    Ending::forget(installs).expect("is gone already");
    assert_eq!(Ending::kept(installs).expect("reads"), None);
}

#[test]
fn what_is_damaged_or_of_a_system_that_went_down_says_nothing() {
    let directory = TempDir::new().expect("a directory");
    let installs = directory.path();
    let kept = |text: &str| {
        fs::write(path(installs), text).expect("writes");
        Ending::kept(installs).expect("reads").map(|(_, ending)| ending)
    };
    assert_eq!(kept("a-1 exited 17 of-another-life\n"), Some(Ending::Exited(17)));
    assert_eq!(kept("a-1 signaled 15 of-another-life\n"), None);
    for damaged in
        ["", "a-1", "a-1 exited 17", "a-1 exited 256 b", "a-1 left 1 b", "a-1 exited x b"]
    {
        assert_eq!(kept(damaged), None, "{damaged:?}");
    }
}
