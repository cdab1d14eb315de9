use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ambient::{ManualClock, SeededEntropy};
use model::{ErrorClass, Sha1};
use sha2::Digest as _;
use tempfile::TempDir;

use super::*;

const BODY: &[u8] = b"content of an update";

fn sha256(body: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(body).into())
}

fn sha1(body: &[u8]) -> Sha1 {
    Sha1(sha1::Sha1::digest(body).into())
}

fn expected(body: &[u8]) -> Expected {
    let (size, sha256) = (Some(body.len() as u64), Some(sha256(body)));
    Expected { name: "update.cab".to_owned(), size, sha256, sha1: None }
}

struct Fixture {
    directory: TempDir,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Fixture {
        // After the time of any file the test makes, so that leases can be let run out.
        let clock = Arc::new(ManualClock::at(1 << 50));
        Fixture { directory: TempDir::new().expect("temporary directory"), clock }
    }

    fn open(&self, executor: Executor) -> ContentLibrary {
        let ambient = Ambient::new(self.clock.clone(), Arc::new(SeededEntropy::new(1)));
        ContentLibrary::open(ambient, self.directory.path(), executor).expect("opens")
    }

    fn count(&self, directory: &str) -> usize {
        let entries = |path| fs::read_dir(path).expect("lists").map(|e| e.expect("lists").path());
        let entries = entries(self.directory.path().join(directory));
        entries.map(|p| if p.is_dir() { fs::read_dir(p).expect("lists").count() } else { 1 }).sum()
    }

    fn path(&self, sha256: Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.directory.path().join("files").join(&name[..2]).join(name)
    }
}

async fn receiving(library: &ContentLibrary, expected: Expected) -> Receipt {
    match library.begin(expected).await.expect("begins") {
        Begun::Receiving(receipt) => receipt,
        Begun::Present(record) => panic!("is here: {record:?}"),
    }
}

async fn receive(
    library: &ContentLibrary,
    expected: Expected,
    body: &'static [u8],
) -> Result<FileRecord, Error> {
    let mut receipt = receiving(library, expected).await;
    // As a source that knows no ranges: what is here already is passed over.
    let pieces = body.chunks(3).map(|piece| Ok::<_, Error>(Bytes::from_static(piece)));
    receipt.receive(0, stream::iter(pieces)).await?;
    receipt.finish().await
}

#[tokio::test]
async fn a_file_arrives_in_parts_across_restarts() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Thread);
    let mut receipt = receiving(&library, expected(BODY)).await;
    receipt.write(0, Bytes::from_static(&BODY[..7])).await.expect("writes");
    let gap = receipt.write(9, Bytes::from_static(b"x")).await.expect_err("leaves a gap");
    assert_eq!(gap.class(), ErrorClass::Invalid);
    let twice = library.begin(expected(BODY)).await.expect_err("is being received");
    assert_eq!(twice.class(), ErrorClass::Conflict);
    drop((receipt, library));

    let library = fixture.open(Executor::Inline);
    assert_eq!(receiving(&library, expected(BODY)).await.offset(), 7);
    let record = receive(&library, expected(BODY), BODY).await.expect("is complete");
    assert_eq!((record.sha256, record.sha1, record.size), (sha256(BODY), sha1(BODY), 20));
    assert!(!record.is_weak);
    assert!(matches!(library.begin(expected(BODY)).await, Ok(Begun::Present(r)) if r == record));
    let file = library.open_file(record.sha256).await.expect("opens");
    assert_eq!(file.read(8..99).await.expect("reads"), BODY[8..]);
    let wanted = BTreeSet::from([record.sha256, sha256(b"other")]);
    let missing = library.missing(wanted).await.expect("looks");
    assert_eq!(missing, BTreeSet::from([sha256(b"other")]));
    assert_eq!(fixture.count("partial"), 0);
}

#[tokio::test]
async fn what_differs_from_what_was_expected_is_refused_and_dropped() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Inline);
    let cases: [(Expected, &[u8], &str); 4] = [
        (expected(BODY), &BODY[..19], "update.cab: 19 bytes received instead of 20"),
        (expected(BODY), b"content of an update!", "update.cab: 21 bytes, larger than the 20"),
        (expected(BODY), b"c0ntent of an update", "update.cab: its SHA-256 is"),
        (Expected { sha1: Some(sha1(b"")), ..expected(BODY) }, BODY, "update.cab: its SHA-1 is"),
    ];
    for (expected, body, message) in cases {
        let error = receive(&library, expected, body).await.expect_err(message);
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(error.class(), ErrorClass::Corrupt);
        assert_eq!((fixture.count("partial"), fixture.count("files")), (0, 0), "{message}");
    }
    let endless = Expected { size: Some(10), ..expected(BODY) };
    let error = library.import(endless, std::io::repeat(0)).await.expect_err("has no end");
    assert!(matches!(error, Error::TooLarge { allowed: 10, .. }), "{error}");
    assert_eq!(fixture.count("partial"), 0);
}

#[tokio::test]
async fn a_file_known_by_sha1_alone_is_weak_until_somebody_vouches_for_it() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Thread);
    let weak = Expected { sha256: None, sha1: Some(sha1(BODY)), ..expected(BODY) };
    let record = receive(&library, weak.clone(), BODY).await.expect("matches");
    assert!(record.is_weak);
    assert_eq!(library.find(&weak).await.expect("looks"), Some(record));
    library.import(expected(BODY), BODY).await.expect("matches");
    let record = library.find(&expected(BODY)).await.expect("looks").expect("is here");
    assert!(!record.is_weak);
    let unnamed = Expected { sha256: None, ..expected(BODY) };
    let error = library.begin(unnamed.clone()).await.expect_err("cannot be resumed");
    assert!(matches!(error, Error::NoDigest { .. }), "{error}");
    // A local file has nobody to vouch for it and is named by what it is.
    assert!(!library.import(unnamed, BODY).await.expect("imports").is_weak);
}

#[tokio::test]
async fn damage_is_found_before_a_byte_is_served() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Inline);
    let bodies: [&[u8]; 3] = [BODY, b"second", b"third"];
    for body in bodies {
        library.import(expected(body), body).await.expect("imports");
    }
    assert_eq!(library.check().await.expect("checks"), []);
    let [first, second, third] = bodies.map(sha256);
    let damage = |sha256| {
        let path = fixture.path(sha256);
        fs::remove_file(&path).expect("removes");
        fs::write(&path, "something else").expect("writes");
    };
    damage(first);
    let refused = library.open_file(first).await.expect_err("is damaged");
    assert_eq!(refused.class(), ErrorClass::Corrupt);
    assert_eq!(fixture.count("quarantine"), 1);
    let gone = library.open_file(first).await.expect_err("was taken out");
    assert_eq!(gone.class(), ErrorClass::NotFound);
    damage(second);
    fs::remove_file(fixture.path(third)).expect("removes");
    let mut damaged: Vec<_> =
        library.check().await.expect("checks").into_iter().map(|damage| damage.sha256).collect();
    damaged.sort_by_key(|sha256| *sha256 != second);
    assert_eq!(damaged, [second, third]);
    library.import(expected(BODY), BODY).await.expect("is fetched again");
    library.open_file(first).await.expect("serves again");
}

#[tokio::test]
async fn garbage_goes_after_its_lease_and_nothing_else_does() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Thread);
    let (kept, late, garbage) = (sha256(b"kept"), sha256(b"late"), sha256(b"garbage"));
    for body in [&b"kept"[..], b"late", b"garbage"] {
        library.import(expected(body), body).await.expect("imports");
    }
    drop(receiving(&library, expected(BODY)).await);
    let active = receiving(&library, expected(b"on its way")).await;
    let holder = |version| format!("package {version}");
    library.set_references(holder(1), vec![kept]).await.expect("refers");
    assert_eq!(library.collect_garbage(1_000).await.expect("condemns"), Collected::default());
    // Looking at a file does not extend its lease; a reference made while it runs saves the file.
    assert_eq!(library.check().await.expect("checks"), []);
    library.set_references(holder(2), vec![late]).await.expect("refers");
    fixture.clock.advance_ms(999);
    assert_eq!(library.collect_garbage(1_000).await.expect("waits"), Collected::default());
    fixture.clock.advance_ms(1);
    let collected = library.collect_garbage(1_000).await.expect("collects");
    assert_eq!(collected, Collected { files: 1, bytes: 7 });
    let missing = library.missing(BTreeSet::from([kept, late, garbage])).await.expect("looks");
    assert_eq!((missing, fixture.count("files")), (BTreeSet::from([garbage]), 2));
    assert_eq!(fixture.count("partial"), 1, "the abandoned partial is gone, the active one is not");
    drop(active);
    // A file that lost its holder gets a lease of its own.
    library.set_references(holder(2), vec![]).await.expect("forgets");
    assert_eq!(library.collect_garbage(1_000).await.expect("condemns"), Collected::default());
    assert_eq!(fixture.count("files"), 2);
}

/// The test runs itself as a process that ends at the failpoint, then looks at what it left.
#[tokio::test]
async fn a_crash_leaves_a_resumable_partial_or_a_complete_file() {
    const ROOT: &str = "TIERLINE_TEST_CONTENT_ROOT";
    const NAME: &str = "library::tests::a_crash_leaves_a_resumable_partial_or_a_complete_file";
    if let Some(root) = std::env::var_os(ROOT) {
        let ambient = Ambient::seeded(1, 0);
        let library = ContentLibrary::open(ambient, Path::new(&root), Executor::Inline);
        let library = library.expect("opens");
        let mut receipt = receiving(&library, expected(BODY)).await;
        receipt.write(0, Bytes::from_static(&BODY[..7])).await.expect("writes");
        receipt.write(7, Bytes::from_static(&BODY[7..])).await.expect("writes");
        receipt.finish().await.expect("finishes");
        return;
    }
    for (failpoint, offset) in
        [("content.partial:1", Some(7)), ("content.partial:2", Some(20)), ("content.renamed", None)]
    {
        let fixture = Fixture::new();
        let test = std::env::current_exe().expect("this test");
        let child = Command::new(test)
            .args([NAME, "--exact"])
            .env(ROOT, fixture.directory.path())
            .env("TIERLINE_FAILPOINT", failpoint)
            .output()
            .expect("runs");
        assert_eq!(child.status.code(), None, "{failpoint} was not reached: {child:?}");
        let library = fixture.open(Executor::Inline);
        let record = library.find(&expected(BODY)).await.expect("looks");
        assert_eq!(record.is_none(), offset.is_some(), "{failpoint}");
        if let Some(offset) = offset {
            assert_eq!(receiving(&library, expected(BODY)).await.offset(), offset, "{failpoint}");
            receive(&library, expected(BODY), BODY).await.expect("is completed");
        }
        assert_eq!(library.check().await.expect("checks"), []);
        assert_eq!((fixture.count("files"), fixture.count("partial")), (1, 0), "{failpoint}");
    }
}

#[tokio::test]
async fn what_makes_room_goes_whole_and_never_while_it_is_read_or_held() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Inline);
    let bodies: [&[u8]; 4] = [b"read", b"held", b"unused", b"old"];
    for body in bodies {
        library.import(expected(body), body).await.expect("imports");
    }
    let names = bodies.map(sha256);
    let reader = library.open_file(names[0]).await.expect("opens");
    let second = library.open_file(names[0]).await.expect("opens");
    library.set_references("site".to_owned(), vec![names[1]]).await.expect("sets");
    fixture.clock.advance_ms(1_000);
    library.mark_used(vec![names[2]]).await.expect("marks");
    let used = |records: Vec<FileRecord>| {
        let at = |name: &Sha256| records.iter().find(|record| record.sha256 == *name);
        names.each_ref().map(|name| at(name).map(|record| record.used_at.0 - (1 << 50)))
    };
    let listed = used(library.list().await.expect("lists"));
    assert_eq!(listed, [Some(0), Some(0), Some(1_000), Some(0)]);
    // A clock that was set back keeps nothing for ever.
    fixture.clock.advance_ms(-500);
    let listed = used(library.list().await.expect("lists"));
    assert_eq!(listed, [Some(0), Some(0), Some(500), Some(0)]);

    let all: BTreeSet<Sha256> = names.into_iter().collect();
    let removed = library.remove(all.clone()).await.expect("removes");
    assert_eq!(removed, Collected { files: 2, bytes: 9 });
    drop(reader);
    let removed = library.remove(all.clone()).await.expect("removes");
    assert_eq!(removed, Collected::default());
    assert_eq!(second.read(0..9).await.expect("reads"), bodies[0]);
    drop(second);
    let removed = library.remove(all.clone()).await.expect("removes");
    assert_eq!(removed, Collected { files: 1, bytes: 4 });
    let gone = library.open_file(names[0]).await.expect_err("gone");
    assert_eq!(gone.class(), ErrorClass::NotFound);
    assert_eq!((fixture.count("files"), fixture.count("quarantine")), (1, 0));
    drop(library);
    let library = fixture.open(Executor::Inline);
    assert_eq!(library.missing(all).await.expect("looks").len(), 3);
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_behind_that_stays_in_the_way() {
    let fixture = Fixture::new();
    let library = fixture.open(Executor::Inline);
    // Every write to it says that the disk is full.
    let partial = fixture.directory.path().join("partial").join(sha256(BODY).to_string());
    std::os::unix::fs::symlink("/dev/full", &partial).expect("links");
    let mut receipt = receiving(&library, expected(BODY)).await;
    let in_use = library.drop_partial(expected(BODY)).await.expect_err("in receipt");
    assert_eq!(in_use.class(), ErrorClass::Conflict);
    let full = receipt.write(0, Bytes::from_static(BODY)).await.expect_err("is full");
    assert_eq!(full.class(), ErrorClass::Exhausted);
    drop(receipt);
    library.drop_partial(expected(BODY)).await.expect("drops");
    assert_eq!(fixture.count("partial"), 0);
    receive(&library, expected(BODY), BODY).await.expect("there is room again");
}
