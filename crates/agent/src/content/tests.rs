use std::sync::Arc;

use ambient::{Ambient, ManualClock, SeededEntropy};
use content_library::Expected;
use model::{AssignedFile, AssignedUpdate};
use sqlite_engine::Executor;
use tempfile::TempDir;

use super::*;
use crate::world::{NOW, assignment, software};

fn file(body: &[u8]) -> AssignedFile {
    let (size, sha256) = (body.len() as u64, client::digest::sha256(body));
    AssignedFile { name: "update.deb".to_owned(), size, sha256 }
}

fn policy(files: &[AssignedFile], options: &[(&str, &str)]) -> Policy {
    let mut assigned = assignment(&[software(1)], NOW);
    let updates: &mut Vec<AssignedUpdate> = &mut assigned.updates;
    updates[0].files = files.to_vec();
    let values = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Policy {
        assignments: [assigned].into(),
        options: Arc::new(ClientOptions { values: values.collect() }),
        ..Policy::default()
    }
}

#[tokio::test]
async fn room_is_made_of_what_no_deployment_names_and_nothing_that_is_read() {
    let directory = TempDir::new().expect("a directory");
    let clock = Arc::new(ManualClock::at(NOW.0));
    let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
    let library = ContentLibrary::open(ambient.clone(), directory.path(), Executor::Inline);
    let library = library.expect("opens");
    let bodies: [Vec<u8>; 4] = [0, 1, 2, 3].map(|byte| vec![byte; 400_000]);
    for body in &bodies {
        let expected = Expected::from(&file(body));
        library.import(expected, std::io::Cursor::new(body.clone())).await.expect("imports");
        clock.advance_ms(60_000);
    }
    let now = || Timestamp(ambient.now_ms());
    let make = async |room: &Room, occasion| {
        room.make(&library, occasion, now()).await.expect("made").files
    };
    let needed = file(&bodies[0]);
    let room = Room::default();
    room.follow(&policy(std::slice::from_ref(&needed), &[("cache.max_mb", "1")]));
    // All of it is of today.
    assert_eq!(make(&room, Occasion::Coming(0)).await, 0);
    assert_eq!(make(&room, Occasion::DiskFull).await, 0);
    clock.advance_ms(25 * 60 * 60 * 1_000);
    library.mark_used(vec![file(&bodies[2]).sha256]).await.expect("marked");
    let reader = library.open_file(file(&bodies[1]).sha256).await.expect("opens");
    // Of 1.6 MB there is room for one; one is needed, one is read, one was used just now.
    assert_eq!(make(&room, Occasion::Coming(0)).await, 1);
    assert_eq!(make(&room, Occasion::Coming(u64::MAX)).await, 0);
    drop(reader);
    assert_eq!(make(&room, Occasion::Asked).await, 2);
    let left = library.list().await.expect("lists");
    assert_eq!(left.iter().map(|file| file.sha256).collect::<Vec<_>>(), [needed.sha256]);
    // Once nothing names it any more it goes, too.
    room.follow(&policy(&[], &[]));
    assert_eq!(make(&room, Occasion::Asked).await, 1);
}
