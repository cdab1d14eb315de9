use std::sync::mpsc;

use super::*;

/// A file system that does not answer before it is told to.
fn dead() -> (mpsc::SyncSender<()>, impl FnOnce(&Path) -> io::Result<u8> + Send + 'static) {
    let (wake, asleep) = mpsc::sync_channel(1);
    let look = move |_: &Path| {
        let _ = asleep.recv();
        Ok(7)
    };
    (wake, look)
}

#[tokio::test]
async fn a_file_system_that_does_not_answer_is_left_and_not_asked_again_before_it_has() {
    let aside = Aside { limit: Duration::from_millis(50), ..Aside::new() };
    let (wake, look) = dead();
    let path = || PathBuf::from("/net/gone");
    let refused = aside.look(path(), look).await.expect_err("it does not answer");
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    let refused = aside.look(path(), |_| Ok(8)).await.expect_err("it is not asked again");
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
    let other = aside.look(PathBuf::from("/etc"), |path| Ok(path.to_owned())).await;
    assert_eq!(other.expect("others are asked meanwhile"), Path::new("/etc"));
    wake.send(()).expect("somebody waits");
    while aside.lock().contains_key(&path()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(aside.look(path(), |_| Ok(8)).await.expect("it answers again"), 8);
}

#[tokio::test]
async fn no_more_threads_are_held_than_some() {
    let aside = Aside { limit: Duration::from_millis(1), ..Aside::new() };
    let mut sleepers = Vec::new();
    for number in 0..FILE_THREADS_MAX {
        let (wake, look) = dead();
        sleepers.push(wake);
        aside.look(PathBuf::from(format!("/net/{number}")), look).await.expect_err("is held");
    }
    let refused = aside.look(PathBuf::from("/etc"), |_| Ok(())).await.expect_err("no thread");
    assert_eq!(refused.kind(), ErrorKind::TimedOut);
}
