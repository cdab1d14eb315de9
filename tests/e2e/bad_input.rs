//! What comes from outside and is wrong gets a clear refusal, costs little memory, and leaves
//! nothing behind.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use zip::write::SimpleFileOptions;

use crate::harness::Hierarchy;

/// The largest resident size a process may have had, whatever it was fed.
const RESIDENT_KIB_MAX: u64 = 256 * 1024;

/// Bombs that are on their way to a process together.
const AT_ONCE: usize = 8;

const HEAD: &str = "<?xml version=\"1.0\"?>\n\
    <SystemsManagementCatalog \
    xmlns=\"http://schemas.microsoft.com/sms/2005/04/CorporatePublishing/SystemsManagementCatalog.xsd\">";

fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

fn write(path: &Path, parts: &[(&[u8], usize)]) {
    let file = std::fs::File::create(path).expect("a file can be made");
    let mut file = std::io::BufWriter::new(file);
    for (bytes, times) in parts {
        for _ in 0..*times {
            file.write_all(bytes).expect("a file can be written");
        }
    }
}

fn bomb(path: &Path) {
    let file = std::fs::File::create(path).expect("a file can be made");
    let mut archive = zip::ZipWriter::new(file);
    archive.start_file("bomb.xml", SimpleFileOptions::default()).expect("it can be written");
    archive.write_all(HEAD.as_bytes()).expect("it can be written");
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..600 {
        archive.write_all(&spaces).expect("it can be written");
    }
    archive.finish().expect("it can be written");
}

/// A cabinet of one stored folder of 4 bytes, whose file says that it is elsewhere and larger.
fn cabinet(offset: u32, size: u32, name: &[u8]) -> Vec<u8> {
    let entry =
        [&size.to_le_bytes(), &offset.to_le_bytes(), [0; 8].as_slice(), name, &[0]].concat();
    let (files_at, blocks_at) = (44_u32, 44 + entry.len() as u32);
    let end = blocks_at + 12;
    let whole = |number: u32| number.to_le_bytes();
    let head = [*b"MSCF", whole(0), whole(end), whole(0), whole(files_at), whole(0)].concat();
    let counts = [3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let folder = [blocks_at.to_le_bytes(), [1, 0, 0, 0]].concat();
    let block = [whole(0), [4, 0, 4, 0], *b"<a/>"].concat();
    [head, counts.to_vec(), folder, entry, block].concat()
}

/// The end of a zip that says it has more files than fit into memory.
fn endless_directory() -> Vec<u8> {
    let start = b"PK\x03\x04".repeat(1 << 20);
    let count = (start.len() as u64 / 46).to_le_bytes();
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    end.extend([count, count, (start.len() as u64).to_le_bytes(), [0; 8]].concat());
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend((start.len() as u64).to_le_bytes());
    end.extend([1, 0, 0, 0]);
    end.extend(b"PK\x05\x06\0\0\0\0");
    end.extend([0xFF; 12]);
    end.extend([0, 0]);
    [start, end].concat()
}

#[test]
fn hostile_catalogs_are_refused_with_reasons_and_little_memory() {
    let hierarchy = Hierarchy::new();
    let data = hierarchy.data("upstream");
    let inbox = data.join("inbox");
    std::fs::create_dir_all(&inbox).expect("a directory can be made");
    let config = format!(
        "data = \"{}\"\nname = \"upstream\"\nhttps = \"\"\nhttp = \"{}\"\n\n\
         [sup]\nstand_alone = true\nplain_http = \"all\"\n",
        data.display(),
        hierarchy.at(8830)
    );
    let config = hierarchy.config("upstream", &config);
    let sup = hierarchy.start("tierline-sup", &config);

    // Written beside the inbox and moved in, as a careful administrator would.
    let outside = hierarchy.data("outside");
    std::fs::create_dir(&outside).expect("a directory can be made");
    let (deep, wide) = (b"<a>".as_slice(), [b'x'; 1 << 16]);
    write(&outside.join("truncated.xml"), &[(HEAD.as_bytes(), 1), (b"<broken", 1)]);
    let dtd = b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    write(&outside.join("dtd.xml"), &[(dtd, 1)]);
    write(&outside.join("deep.xml"), &[(HEAD.as_bytes(), 1), (deep, 10_000)]);
    write(&outside.join("wide.xml"), &[(HEAD.as_bytes(), 1), (b"<a>", 1), (&wide, 1 << 14)]);
    bomb(&outside.join("bomb.zip"));
    let attributes = [(HEAD.as_bytes(), 1), (b"<a", 1), (b" b='1'".as_slice(), 1 << 20)];
    write(&outside.join("attributes.xml"), &attributes);
    let absolute = hierarchy.data("escaped.xml");
    let absolute = absolute.to_str().expect("the path is text").as_bytes();
    for (name, offset, size, inside) in [
        ("beyond.cab", 5, 4, b"a.xml".as_slice()),
        ("huge.cab", 0, u32::MAX, b"a.xml"),
        ("above.cab", 0, 4, b"..\\..\\..\\escaped.xml"),
        ("absolute.cab", 0, 4, absolute),
    ] {
        write(&outside.join(name), &[(&cabinet(offset, size, inside), 1)]);
    }
    write(&outside.join("endless.zip"), &[(&endless_directory(), 1)]);
    for (name, reason) in [
        ("truncated.xml", "line 2"),
        ("dtd.xml", "DOCTYPE"),
        ("deep.xml", "deep"),
        ("wide.xml", "bytes"),
        ("bomb.zip", "bomb.zip"),
        ("attributes.xml", "bytes"),
        ("beyond.cab", "outside of its folder"),
        ("huge.cab", "outside of its folder"),
        ("above.cab", "<a> is not a catalog"),
        ("absolute.cab", "<a> is not a catalog"),
        ("endless.zip", "more than 20000 files"),
    ] {
        std::fs::rename(outside.join(name), inbox.join(name)).expect("one file system");
        let told = inbox.join("refused").join(format!("{name}.reason"));
        hierarchy.wait_until(name, || told.exists());
        let said = std::fs::read_to_string(told).expect("readable");
        assert!(said.contains(reason), "{name}: {said}");
    }
    let peak = peak_kib(sup.id());
    assert!(peak < RESIDENT_KIB_MAX, "the process needed {peak} KiB");
    let escaped = [".", "inbox", ".."].map(|folder| data.join(folder).join("escaped.xml"));
    assert!(!escaped.iter().any(|path| path.exists()), "a name led out of its archive");

    // It is still there, and takes what is good.
    let sample = testkit::sample::sample(&hierarchy.data("installed"));
    let good = sample.documents[0].to_xml();
    write(&outside.join("good.xml"), &[(good.as_bytes(), 1)]);
    std::fs::rename(outside.join("good.xml"), inbox.join("good.xml")).expect("one file system");
    hierarchy.wait_until("the good document", || inbox.join("done/good.xml").exists());
}

/// Posts a body to the service of computers; answers with what came back.
fn post(address: &str, action: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!(
        "POST /ClientWebService/Client.asmx HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\nSOAPAction: \
         \"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/{action}\"\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it takes the head");
    // It may answer and hang up before it has all of a body that is too large.
    let _sent = stream.write_all(body);
    let mut answer = Vec::new();
    let _received = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn hostile_requests_are_refused_with_little_memory() {
    let hierarchy = Hierarchy::new();
    let data = hierarchy.data("server");
    let address = hierarchy.at(8840);
    let config = format!(
        "data = \"{}\"\nname = \"server\"\nhttps = \"\"\nhttp = \"{address}\"\n\n\
         [sup]\nstand_alone = true\nplain_http = \"all\"\n",
        data.display(),
    );
    let sup = hierarchy.start("tierline-sup", &hierarchy.config("server", &config));
    let space = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
    let within = |start: &str, rest: &str, bytes: usize| {
        let head = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>\
             <GetExtendedUpdateInfo xmlns='{space}'>{start}"
        );
        (head + &rest.repeat(bytes / rest.len().max(1))).into_bytes()
    };
    const MIB: usize = 1 << 20;
    let doctype = "<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;'>]><a>&c;</a>";
    let bombs = [
        ("document type", doctype.as_bytes().to_vec()),
        ("entity", within("<revisionIDs>&b;", "&b;", MIB)),
        ("depth", within("", "<a>", 3 * MIB)),
        ("attributes", within("<a", " b='1'", 3 * MIB)),
        ("elements", within("<revisionIDs>", "<int>1</int>", 3 * MIB)),
        ("text", within("<a>", "text", 3 * MIB)),
    ];
    for (name, bomb) in &bombs {
        let answers: Vec<String> = std::thread::scope(|scope| {
            let send = |_| scope.spawn(|| post(&address, "GetExtendedUpdateInfo", bomb));
            let sent: Vec<_> = (0..AT_ONCE).map(send).collect();
            sent.into_iter().map(|answer| answer.join().expect("it answers")).collect()
        });
        for answer in answers {
            assert!(answer.starts_with("HTTP/1.1 500 "), "{name}: {answer}");
            assert!(
                answer.contains("<ErrorCode>InvalidParameters</ErrorCode>"),
                "{name}: {answer}"
            );
        }
    }
    let large = post(&address, "GetExtendedUpdateInfo", &within("<a>", "text", 64 * MIB));
    assert!(large.is_empty() || large.starts_with("HTTP/1.1 413 "), "{large}");
    let peak = peak_kib(sup.id());
    assert!(peak < RESIDENT_KIB_MAX, "the process needed {peak} KiB");
    let unharmed = post(&address, "GetConfig", &within("", "", 0));
    assert!(unharmed.contains("InvalidParameters"), "it is still there: {unharmed}");
}

#[test]
fn a_bad_configuration_names_every_key() {
    let hierarchy = Hierarchy::new();
    let text = "data = \"relative\"\nlisten = \"nowhere\"\n\n[site]\ncode = \"pr1\"\ncolor = 1\n";
    let config = hierarchy.config("bad", text);
    let config = config.to_str().expect("the path is text");
    let said = hierarchy.refused("tierline-central", &["--config", config, "check-config"]);
    for key in ["data", "listen", "site.code", "site.color"] {
        assert!(said.contains(key), "{key} is not named in: {said}");
    }
}

#[test]
fn a_primary_whose_parent_is_away_serves_alone() {
    let hierarchy = Hierarchy::new();
    let [cas, pr1, se1] = hierarchy.three_sites();
    cas.kill();
    pr1.kill();
    let mut pr1 = hierarchy.start("tierline-primary", &hierarchy.site_config("PR1", 7540));
    pr1.wait_for("the parent site was not reached");
    let url = hierarchy.url(7540);
    let sites = hierarchy.tierline(&["site", "list", "--server", &url, "-o", "json"]);
    assert!(sites.contains("CAS") && sites.contains("SE1"), "{sites}");
    drop(se1);
}
