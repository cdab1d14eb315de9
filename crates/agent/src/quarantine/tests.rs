use tempfile::TempDir;

use super::*;

fn open(data: &TempDir) -> Quarantine {
    Quarantine::within(data.path(), Ambient::seeded(1, 5)).expect("opens")
}

/// What is there, without the list.
fn held(data: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(data.path().join("quarantine")).expect("there");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("text")).collect();
    names.retain(|name| name != LIST);
    names.sort();
    names
}

#[test]
fn what_is_set_aside_is_moved_counted_and_told_once_by_whichever_life() {
    let data = TempDir::new().expect("a directory");
    let memory = data.path().join("agent.db");
    for name in ["agent.db", "agent.db-wal"] {
        fs::write(data.path().join(name), "garbage").expect("written");
    }
    let quarantine = open(&data);
    assert_eq!(quarantine.look(), (0, Vec::new()));
    quarantine.set_aside("memory", "no database", Found::database(&memory)).expect("moved");
    let parts = ["a", "b"].map(|name| (name.to_owned(), name.as_bytes().to_vec()));
    let parts = Found::Parts(parts.to_vec());
    quarantine.set_aside("reports", "no reports", parts).expect("kept");
    assert!(!memory.exists());
    assert_eq!(held(&data), ["1-agent.db", "1-agent.db-wal", "3-a", "3-b"]);

    let quarantine = open(&data);
    let said = |what: &str, reason: &str, count| {
        let (what, reason) = (what.to_owned(), reason.to_owned());
        SetAside { what, reason, count }
    };
    let (first, second) = (said("memory", "no database", 1), said("reports", "no reports", 3));
    assert_eq!(quarantine.untold(0), [first, second.clone()]);
    assert_eq!(quarantine.untold(1), [second]);
    quarantine.told(3);
    let quarantine = open(&data);
    assert_eq!(quarantine.untold(0), []);
    assert_eq!((quarantine.look().0, quarantine.look().1.len()), (3, 2));
}

#[test]
fn the_oldest_files_go_and_all_are_counted() {
    let data = TempDir::new().expect("a directory");
    let quarantine = open(&data);
    let many = limits::SET_ASIDE_ENTRIES_MAX.max(limits::SET_ASIDE_FILES_MAX) + 5;
    for _ in 0..many {
        let file = data.path().join("file");
        fs::write(&file, "garbage").expect("written");
        let found = Found::Files(vec![file]);
        quarantine.set_aside("file", &"why ".repeat(1_000), found).expect("moved");
    }
    let (count, entries) = quarantine.look();
    assert_eq!((count, entries.len()), (many as u64, limits::SET_ASIDE_ENTRIES_MAX));
    assert!(entries.iter().all(|entry| entry.reason.len() <= SET_ASIDE_TEXT_BYTES_MAX));
    assert_eq!(held(&data).len(), limits::SET_ASIDE_FILES_MAX);
    assert!(held(&data).contains(&format!("{many}-file")), "the newest stays");

    let large = data.path().join("large");
    let sparse = File::create(&large).expect("made");
    sparse.set_len(limits::SET_ASIDE_BYTES_MAX + 1).expect("no room is needed for nothing");
    quarantine.set_aside("large", "why", Found::Files(vec![large])).expect("moved");
    assert_eq!(held(&data), Vec::<String>::new(), "it is more than there is room for");
}

#[test]
fn a_list_that_cannot_be_read_is_set_aside_itself() {
    let data = TempDir::new().expect("a directory");
    fs::create_dir(data.path().join("quarantine")).expect("made");
    fs::write(data.path().join("quarantine").join(LIST), "[").expect("written");
    let quarantine = open(&data);
    let [SetAside { what, count: 1, .. }] = &quarantine.untold(0)[..] else {
        panic!("{quarantine:?}")
    };
    assert_eq!(what, "the list of what was set aside");
    assert_eq!(held(&data), ["1-list"]);
    assert_eq!(open(&data).look().0, 1);
}
