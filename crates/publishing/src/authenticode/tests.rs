use std::fs::{self, File};
use std::io::{Cursor, Write as _};
use std::process::Command;

use ambient::Ambient;
use model::HierarchyId;
use testkit::reference::skip;

use super::*;
use crate::cabinet::{append_signature, write};

fn publisher() -> Publisher {
    let ambient = Ambient::system();
    Publisher::create(&ambient, HierarchyId(ambient.random_id())).expect("is made")
}

fn signed(publisher: &Publisher) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let content = &b"MZ program"[..];
    let files = vec![("setup.exe".to_owned(), content.len() as u64, content)];
    let digest = write(files, &mut out).expect("is written");
    let signature = sign(digest, publisher).expect("is signed");
    append_signature(&signature, &mut out).expect("has room");
    out.into_inner()
}

#[test]
fn a_signature_names_its_publisher_and_covers_the_cabinet() {
    let publisher = publisher();
    let cabinet = signed(&publisher);
    let signer = verify(&mut Cursor::new(cabinet.clone())).expect("holds").expect("is signed");
    assert_eq!(signer.fingerprint, publisher.fingerprint());
    assert!(signer.subject.contains("Tierline publisher"), "{}", signer.subject);
    let end = cabinet.len();
    for place in [10, 70, 90, 100] {
        let mut changed = cabinet.clone();
        changed[place] ^= 1;
        assert!(verify(&mut Cursor::new(changed)).is_err(), "byte {place} of {end}");
    }
    // Any change to the signature itself is refused or changes nothing that counts.
    let place = u32::from_le_bytes(cabinet[44..48].try_into().expect("are four")) as usize;
    let unchanged = signer;
    for at in place..end {
        let mut changed = cabinet.clone();
        changed[at] ^= 0x20;
        if let Ok(Some(found)) = verify(&mut Cursor::new(changed)) {
            // Another certificate with the same key is not the one that was approved.
            let is_other = found.fingerprint != unchanged.fingerprint;
            assert!(found == unchanged || is_other, "byte {at}");
        }
    }
}

#[test]
fn what_nobody_signed_has_no_signer() {
    assert_eq!(verify(&mut Cursor::new(b"<xml/>".to_vec())).expect("is read"), None);
}

/// An independent tool accepts our signatures, and we accept its.
#[test]
fn signatures_hold_for_others() {
    let name = "signatures_hold_for_others";
    let tool = "osslsigncode";
    if Command::new(tool).arg("--version").output().is_err() {
        return skip(name, "osslsigncode is not installed");
    }
    let directory = tempfile::tempdir().expect("is made");
    let path = |name: &str| directory.path().join(name);
    let publisher = publisher();
    fs::write(path("ours.cab"), signed(&publisher)).expect("is written");
    let certificate = trust::certificates_to_pem(std::slice::from_ref(publisher.certificate()));
    fs::write(path("publisher.pem"), certificate).expect("is written");
    fs::write(path("publisher.key"), publisher.key().to_pem()).expect("is written");
    let verified = Command::new(tool)
        .args(["verify", "-CAfile"])
        .arg(path("publisher.pem"))
        .arg("-in")
        .arg(path("ours.cab"))
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");

    let mut plain = File::create(path("plain.cab")).expect("is made");
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file("catalog.xml");
    let mut cabinet = builder.build(Cursor::new(Vec::new())).expect("is made");
    let file = cabinet.next_file().expect("is made");
    file.expect("is one").write_all(&[b'x'; 5000]).expect("fits");
    plain.write_all(&cabinet.finish().expect("is whole").into_inner()).expect("fits");
    let tool = Command::new(tool)
        .args(["sign", "-h", "sha256", "-certs"])
        .arg(path("publisher.pem"))
        .arg("-key")
        .arg(path("publisher.key"))
        .arg("-in")
        .arg(path("plain.cab"))
        .arg("-out")
        .arg(path("theirs.cab"))
        .output()
        .expect("starts");
    assert!(tool.status.success(), "{}", String::from_utf8_lossy(&tool.stdout));
    let mut theirs = File::open(path("theirs.cab")).expect("is there");
    let signer = verify(&mut theirs).expect("holds").expect("is signed");
    assert_eq!(signer.fingerprint, publisher.fingerprint());
}
