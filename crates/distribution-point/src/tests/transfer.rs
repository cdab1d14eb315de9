use super::*;

fn large() -> Bytes {
    (0..700_000_u32).map(|n| (n * 31 % 253) as u8).collect()
}

#[tokio::test]
async fn a_killed_point_goes_on_where_the_transfer_broke_off() {
    let (directory, site) = (tempfile::tempdir().expect("a directory"), FakeContents::default());
    let clock = Arc::new(ManualClock::at(0));
    site.script().files = vec![large()];
    site.script().silent_after = Some(200_000);
    site.distribute(2, &["large.cab"], &[]);
    let point = start(&site, directory.path(), &clock).await;
    let partial = directory.path().join("content/partial").join(sha256(&large()).to_string());
    while std::fs::metadata(&partial).map_or(0, |data| data.len()) < 200_000 {
        tokio::task::yield_now().await;
    }
    point.kill().await;
    let point = start(&site, directory.path(), &clock).await;
    until_reported(&site, "2 installed 1 files 700000 bytes").await;
    assert_eq!(site.script().offsets, [0, 200_000]);
    let path = format!("GET /content/sha256/{} HTTP/1.1", sha256(&large()));
    assert_eq!(ask(&point.http, &path).await.2, large());
    point.stop().await;
}

#[tokio::test]
async fn a_point_waits_for_what_the_site_has_not_got_and_serves_without_it() {
    let (directory, site) = (tempfile::tempdir().expect("a directory"), FakeContents::default());
    let clock = Arc::new(ManualClock::at(0));
    let (here, later) = (Bytes::from_static(b"here"), Bytes::from_static(b"later"));
    site.script().files = vec![here.clone()];
    site.distribute(2, &["here.cab", "later.cab"], &[&later]);
    let point = start(&site, directory.path(), &clock).await;
    until_reported(&site, "2 pending 2 files 9 bytes the site server has not got 1 files yet")
        .await;
    site.script().files.push(later);
    // The same state once more: something arrived at the site.
    site.manifests.send_modify(|_| {});
    until_reported(&site, "2 installed 2 files 9 bytes").await;
    site.until(|script| script.statuses == [60_111]).await;
    point.stop().await;

    // Damage is found when the file is asked for, and mended from the site.
    let hash = sha256(&here).to_string();
    let path = directory.path().join("content/files").join(&hash[..2]).join(&hash);
    let mut permissions = std::fs::metadata(&path).expect("it is there").permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a test's own file")]
    permissions.set_readonly(false);
    std::fs::set_permissions(&path, permissions).expect("set");
    std::fs::write(&path, b"fake").expect("written");
    site.script().reports.clear();
    let point = start(&site, directory.path(), &clock).await;
    let request = format!("GET /content/sha256/{hash} HTTP/1.1");
    until_reported(&site, "2 installed 2 files 9 bytes").await;
    assert_eq!(ask(&point.http, &request).await.0, 500);
    until_reported(&site, "2 transferring 2 files 9 bytes").await;
    while ask(&point.http, &request).await.2 != here {
        tokio::task::yield_now().await;
    }
    point.stop().await;
}

#[tokio::test]
async fn content_without_a_manifest_is_deleted_after_its_lease() {
    let (directory, site) = (tempfile::tempdir().expect("a directory"), FakeContents::default());
    let clock = Arc::new(ManualClock::at(0));
    let content = Bytes::from_static(b"content");
    site.script().files = vec![content.clone()];
    site.distribute(2, &["setup.exe"], &[]);
    let by_hash = format!("GET /content/sha256/{} HTTP/1.1", sha256(&content));
    let by_name = "GET /content/CAS00001/2/setup.exe HTTP/1.1";
    let point = start(&site, directory.path(), &clock).await;
    until_reported(&site, "2 installed 1 files 7 bytes").await;
    assert_eq!(ask(&point.https, by_name).await.0, 200);
    site.manifests.send_replace(Vec::new());
    while ask(&point.https, by_name).await.0 != 404 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&point.http, &by_hash).await.0, 200, "still there");
    point.stop().await;
    // Two passes of the collector, one at each start: condemned, then deleted.
    for expected in [200, 404] {
        let point = start(&site, directory.path(), &clock).await;
        while ask(&point.http, &by_hash).await.0 != expected {
            tokio::task::yield_now().await;
        }
        point.stop().await;
        clock.advance_ms(61_000);
    }
}
