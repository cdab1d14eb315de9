use super::*;

#[test]
fn the_downloader_is_started_as_nobody_or_as_who_runs_the_agent() {
    let path = PathBuf::from("/proc/self/exe");
    let nobody = Program { path: path.clone(), user: Some(User { uid: 65_534, gid: 65_533 }) };
    assert_eq!(nobody.arguments(), ["fetch-content", "65534", "65533"]);
    let said = Downloader::Process(nobody).to_string();
    assert_eq!(said, "a process of user 65534 and group 65533");
    let same = Program { path, user: None };
    assert_eq!(same.arguments(), ["fetch-content"]);
    assert_eq!(Downloader::Process(same).to_string(), "a process");
}
