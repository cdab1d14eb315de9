//! What comes from outside and is wrong gets a clear refusal, costs little memory, and leaves
//! nothing behind.

use std::io::Write as _;
use std::path::Path;

use zip::write::SimpleFileOptions;

use crate::harness::Hierarchy;

/// The largest resident size a process may have had, whatever it was fed.
const RESIDENT_KIB_MAX: u64 = 256 * 1024;

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
    for (name, reason) in [
        ("truncated.xml", "line 2"),
        ("dtd.xml", "DOCTYPE"),
        ("deep.xml", "deep"),
        ("wide.xml", "bytes"),
        ("bomb.zip", "bomb.zip"),
    ] {
        std::fs::rename(outside.join(name), inbox.join(name)).expect("one file system");
        let told = inbox.join("refused").join(format!("{name}.reason"));
        hierarchy.wait_until(name, || told.exists());
        let said = std::fs::read_to_string(told).expect("readable");
        assert!(said.contains(reason), "{name}: {said}");
    }
    let peak = peak_kib(sup.id());
    assert!(peak < RESIDENT_KIB_MAX, "the process needed {peak} KiB");

    // It is still there, and takes what is good.
    let sample = testkit::sample::sample(&hierarchy.data("installed"));
    let good = sample.documents[0].to_xml();
    write(&outside.join("good.xml"), &[(good.as_bytes(), 1)]);
    std::fs::rename(outside.join("good.xml"), inbox.join("good.xml")).expect("one file system");
    hierarchy.wait_until("the good document", || inbox.join("done/good.xml").exists());
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
