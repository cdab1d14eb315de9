//! What hostile input costs, measured: each bomb goes off in a process of its own, which tells how
//! much its memory grew.

use std::process::Command;

use super::*;
use crate::client::SyncUpdates;
use crate::xpress;

/// Which bomb a process of this test shall set off.
const BOMB: &str = "TIERLINE_BOMB";
/// The largest message that is read holds 250,000 elements of some 200 bytes.
const MESSAGE_KIB_MAX: u64 = 80 << 10;
/// The largest document has 32 MiB in UTF-16 and is held in both forms.
const DOCUMENT_KIB_MAX: u64 = 80 << 10;
/// What is refused at its first excess costs its budget for one text at most.
const REFUSED_KIB_MAX: u64 = 24 << 10;

/// What it may cost, what it ends with, and how it is set off.
type Bomb = (&'static str, u64, &'static str, fn() -> Result<usize, Error>);

const BOMBS: &[Bomb] = &[
    ("doctype", REFUSED_KIB_MAX, "document type", || {
        let laughs = "<!ENTITY a '&b;&b;&b;&b;&b;&b;&b;&b;'>".repeat(1_000);
        let text = format!("<!DOCTYPE x [{laughs}]>{}", update_data("<updates>&a;</updates>"));
        decode::<UpdateData>(text.as_bytes()).map(|data| data.updates.len())
    }),
    ("entity", REFUSED_KIB_MAX, "entity \"a\" is not accepted", || answer("<x>", "&a;")),
    ("depth", REFUSED_KIB_MAX, "nested more than 32 deep", || answer("", "<x>")),
    ("attributes", REFUSED_KIB_MAX, "larger than 8388608 bytes", || answer("<x", " a='1'")),
    ("namespaces", REFUSED_KIB_MAX, "larger than 8388608 bytes", || answer("<x", " xmlns:a='u'")),
    ("text", REFUSED_KIB_MAX, "larger than 8388608 bytes", || answer("<x>", "text ")),
    ("elements", MESSAGE_KIB_MAX, "more than 250000 elements", || answer("", "<x/>")),
    ("comments", REFUSED_KIB_MAX, "larger than 33554432 bytes", || answer("", "<!-- x -->")),
    ("ids", REFUSED_KIB_MAX, "more than 200000 items", || {
        let start = envelope(&format!(
            "<SyncUpdates xmlns='{}'><parameters><OtherCachedUpdateIDs>@",
            Service::Client.namespace()
        ));
        let start = start.split('@').next().expect("it starts").to_owned();
        decode::<SyncUpdates>(endless(start, "<int>1</int>"))
            .map(|sync| sync.parameters.other_cached.len())
    }),
    ("cabinet", REFUSED_KIB_MAX, "too large for its compressed size", || {
        unpack(blob::write_cabinet(&vec![0; 4 << 20]).expect("a cabinet"))
    }),
    ("announced cabinet", REFUSED_KIB_MAX, "lies outside of its folder", || {
        let mut cabinet = blob::write_cabinet(b"x\0").expect("a cabinet");
        cabinet[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
        unpack(cabinet)
    }),
    ("blocks", REFUSED_KIB_MAX, "too many blocks", || {
        let mut cabinet = blob::write_cabinet(b"x\0").expect("a cabinet");
        let folder = [&cabinet[36..40], &[0xFF, 0xFF], &cabinet[42..44]].concat();
        cabinet[26..28].copy_from_slice(&u16::MAX.to_le_bytes());
        cabinet.splice(36..44, folder.repeat(usize::from(u16::MAX)));
        unpack(cabinet)
    }),
    ("window", REFUSED_KIB_MAX, "wants too much memory", || {
        let mut cabinet = blob::write_cabinet(b"x\0").expect("a cabinet");
        cabinet[42..44].copy_from_slice(&[3, 25]);
        unpack(cabinet)
    }),
    ("largest document", DOCUMENT_KIB_MAX, "", || {
        let text = "0123456789abcde\n".repeat(limits::DOCUMENT_BYTES_MAX / 2 / 16);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut cabinet = blob::write_cabinet(&wide).expect("a cabinet");
        // The room the ratio leaves is not what is measured.
        cabinet.resize(cabinet.len().max(wide.len() / limits::DOCUMENT_RATIO_MAX + 1), 0);
        drop((text, wide));
        unpack(cabinet)
    }),
    ("xpress", REFUSED_KIB_MAX, "larger than allowed", || {
        let packed = xpress::compress(&vec![b'x'; 1 << 20]).repeat(1_000);
        xpress::decompress(&packed, 8 << 20).map(|body| body.len())
    }),
    ("announced xpress", REFUSED_KIB_MAX, "empty or too large", || {
        xpress::decompress(&[0xFF; 16], usize::MAX).map(|body| body.len())
    }),
];

/// A text without an end, or as good as that.
fn endless(start: String, rest: &'static str) -> impl std::io::BufRead {
    let rest = rest.as_bytes().repeat(1 << 10);
    let times = (1 << 30) / rest.len();
    let mut left = std::iter::repeat_n(rest, times);
    let mut piece = std::io::Cursor::new(start.into_bytes());
    let fill = move |buffer: &mut [u8]| loop {
        match piece.read(buffer)? {
            0 => match left.next() {
                Some(next) => piece = std::io::Cursor::new(next),
                None => return Ok(0),
            },
            count => return Ok(count),
        }
    };
    BufReader::new(Reading(fill))
}

struct Reading<F>(F);

impl<F: FnMut(&mut [u8]) -> std::io::Result<usize>> Read for Reading<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (self.0)(buffer)
    }
}

fn answer(start: &str, rest: &'static str) -> Result<usize, Error> {
    let whole = update_data(&format!("<updates>{start}@"));
    let start = whole.split('@').next().expect("it starts").to_owned();
    decode::<UpdateData>(endless(start, rest)).map(|data| data.updates.len())
}

fn unpack(cabinet: Vec<u8>) -> Result<usize, Error> {
    Blob::Compressed(cabinet).unpack().map(|text| text.len())
}

/// The most memory this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it is told");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn bombs_cost_little_memory() {
    if let Ok(name) = std::env::var(BOMB) {
        let (_, _, expected, ignite) =
            BOMBS.iter().find(|(bomb, ..)| *bomb == name).expect("a bomb of this name");
        match ignite() {
            Ok(_) => assert_eq!(*expected, "", "{name} must be refused"),
            Err(error) => {
                assert!(!expected.is_empty() && chain(&error).contains(expected), "{error:?}");
            }
        }
        println!("peak {}", peak_kib());
        return;
    }
    let test = std::env::current_exe().expect("the test runs from a file");
    let idle = peak_kib();
    for (name, allowed, ..) in BOMBS {
        let mut process = Command::new(&test);
        process.args(["--exact", "--nocapture", "tests::bombs::bombs_cost_little_memory"]);
        let output = process.env(BOMB, name).output().expect("it starts again");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let (_, peak) = said.split_once("peak ").expect("it tells its peak");
        let peak = peak.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        let grown = peak.expect("a number").saturating_sub(idle);
        eprintln!("{name}: {grown} KiB of {allowed}");
        assert!(grown < *allowed, "{name} cost {grown} KiB, {allowed} KiB are allowed");
    }
}
