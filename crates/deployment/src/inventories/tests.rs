use std::net::IpAddr;

use compliance::{ClientSet, Roster};
use expect_test::expect;
use model::{Disk, Form, INVENTORY_SCHEMA, Interface, Software, SoftwareOrigin, Timestamp};
use uuid::Uuid;

use super::*;
use crate::{Memberships, Needs, Population, Rulebook};

const MIB: u64 = 1 << 20;

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn site(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn title(number: u32, name: &str, version: &str, origin: SoftwareOrigin) -> SoftwareTitle {
    let (name, version) = (name.to_owned(), version.to_owned());
    let software = Software { name, version, architecture: String::new(), origin };
    SoftwareTitle { site: site("PR1"), number, software }
}

/// Client 1 is a small server, client 2 a workstation with much memory; client 3 says nothing of
/// itself but its software, client 4 nothing at all.
fn computers() -> Vec<(u128, Computer)> {
    let mut server = Computer::default();
    server.hardware.memory = 2_048 * MIB + 7;
    server.hardware.cpu_count = 2;
    server.hardware.serial = "CZ1".to_owned();
    server.os.form = Some(Form::Server);
    server.os.kernel = "6.1.0-28-amd64".to_owned();
    server.os.started_at = Some(Timestamp(90 * 86_400_000));
    server.is_restart_pending = true;
    server.disks.insert("/".to_owned(), Disk { size: 9_000 * MIB, free: Some(500 * MIB) });
    let mac =
        |mac: &str| Interface { mac: mac.to_owned(), addresses: [IpAddr::from([1; 4])].into() };
    server.interfaces.insert("eth0".to_owned(), mac("02:00:00:00:00:01"));
    server.interfaces.insert("eth1".to_owned(), mac("02:00:00:00:00:02"));
    let mut workstation = Computer::default();
    workstation.hardware.memory = 32_768 * MIB;
    workstation.os.form = Some(Form::Workstation);
    workstation.os.edition = "Enterprise".to_owned();
    workstation.os.version = "10.0.26100".to_owned();
    workstation.os.build = "26100.1742".to_owned();
    workstation.disks.insert("C:".to_owned(), Disk { size: 9_000 * MIB, free: None });
    vec![(1, server), (2, workstation)]
}

fn inventories(needs: InventoryNeeds) -> Inventories {
    let mut found = Inventories::new(needs);
    let titles = [
        title(1, "bash", "5.2.15-2", SoftwareOrigin::Dpkg),
        title(2, "openssl", "3.0.13-1~deb12u1", SoftwareOrigin::Dpkg),
        title(3, "OpenSSL", "1:3.0.14-2.el9", SoftwareOrigin::Rpm),
        title(4, "{AA}", "10.2", SoftwareOrigin::Msi),
    ];
    // Only the titles whose names are asked for are read.
    let names: BTreeSet<String> = found.names().iter().map(|name| name.to_lowercase()).collect();
    let asked = titles.iter().filter(|one| names.contains(&one.software.name.to_lowercase()));
    asked.for_each(|title| found.tell_title(title));
    for (number, computer) in computers() {
        found.tell_computer(Ok(InventoryRecord {
            client: client(number),
            site: site("PR1"),
            schema: INVENTORY_SCHEMA,
            incarnation: 1,
            serial: 1,
            collected_at: Timestamp(0),
            computer,
        }));
    }
    for (number, titles) in [(1, vec![1, 2]), (2, vec![4]), (3, vec![1, 3])] {
        let (client, site) = (client(number), site("PR1"));
        found.tell_software(Ok(InstalledSoftware { client, site, titles }));
    }
    found.tell_software(Err(Invalid::new("software", "of a later version")));
    found
}

/// The clients that each text means, and after a bar those that "not" and the text means.
fn meant(text: &str) -> String {
    let roster: Roster = (1..=4).map(client).collect();
    let query = |text: &str| Query::parse(text, &crate::CLIENTS).expect("is read");
    let mut needs = Needs::default();
    needs.add(&query(text));
    let inventories = inventories(needs.inventories);
    let records = (1..=4).map(|number| (client(number), record(number))).collect();
    let (items, kept) = (BTreeMap::new(), BTreeMap::new());
    let population = Population {
        roster: &roster,
        clients: &records,
        inventories: &inventories,
        board: None,
        items: &items,
        kept: &kept,
        now: Timestamp(100 * 86_400_000),
        site: site("PR1"),
    };
    let members = Memberships::evaluate(&Rulebook::new(BTreeMap::new()), &population);
    let shown = |set: &ClientSet| {
        let numbers = roster.clients(set).map(|client| client.0.as_u128().to_string());
        numbers.collect::<Vec<_>>().join(" ")
    };
    let select = |text: &str| members.select(&query(text), &population).expect("can be told");
    format!("{text}: {} | {}", shown(&select(text)), shown(&select(&format!("not ({text})"))))
}

fn record(number: u128) -> model::ClientRecord {
    model::ClientRecord {
        id: client(number),
        kind: model::ClientKind::Agent,
        name: format!("pc{number}"),
        site: site("PR1"),
        os: String::new(),
        architecture: String::new(),
        agent_version: String::new(),
        manufacturer: String::new(),
        model: String::new(),
        seen_on: Timestamp(0),
        address: None,
    }
}

#[test]
fn computers_are_chosen_by_what_they_are_made_of() {
    let texts = [
        "memory < 4096",
        "memory = 2048",
        "cpu.count >= 2",
        "serial = \"cz1\"",
        "kernel like \"6.1.%\"",
        "form = \"server\"",
        "os.edition = \"enterprise\"",
        "os.version >= 10.0.22631",
        "os.build = 26100",
        "disk.free < 1024",
        "disk.size > 1024",
        "pending_restart",
        "last_boot < 7d",
        "mac = \"02:00:00:00:00:02\"",
        "mac != \"02:00:00:00:00:03\"",
    ];
    expect![[r#"
        memory < 4096: 1 | 2
        memory = 2048: 1 | 2
        cpu.count >= 2: 1 | 
        serial = "cz1": 1 | 
        kernel like "6.1.%": 1 | 
        form = "server": 1 | 2
        os.edition = "enterprise": 2 | 
        os.version >= 10.0.22631: 2 | 
        os.build = 26100: 2 | 
        disk.free < 1024: 1 | 
        disk.size > 1024: 1 2 | 
        pending_restart: 1 | 2
        last_boot < 7d: 1 | 
        mac = "02:00:00:00:00:02": 1 | 
        mac != "02:00:00:00:00:03": 1 | "#]]
    .assert_eq(&texts.map(meant).join("\n"));
}

#[test]
fn computers_are_chosen_by_their_software() {
    let texts = [
        "installed_software(\"bash\")",
        "installed_software(\"openssl\")",
        "installed_software(\"openssl < 3.0.14\")",
        "installed_software(\"openssl >= 1:3.0.14\")",
        "installed_software(\"openssl = 3.0.13-1~deb12u1\")",
        "installed_software(\"{aa} > 9.9\")",
        "installed_software(\"no such\")",
        "installed_software(\"bash\") and memory < 4096",
    ];
    expect![[r#"
        installed_software("bash"): 1 3 | 2
        installed_software("openssl"): 1 3 | 2
        installed_software("openssl < 3.0.14"): 1 | 2 3
        installed_software("openssl >= 1:3.0.14"): 3 | 1 2
        installed_software("openssl = 3.0.13-1~deb12u1"): 1 | 2 3
        installed_software("{aa} > 9.9"): 2 | 1 3
        installed_software("no such"):  | 1 2 3
        installed_software("bash") and memory < 4096: 1 | 2"#]]
    .assert_eq(&texts.map(meant).join("\n"));
}

#[test]
fn a_question_is_a_name_or_a_name_and_a_version() {
    let read = |text| format!("{:?}", question(text));
    expect![[r#"
        ("bash", None)
        ("bash", Some((AtMost, "5")))
        ("Contoso Suite", Some((AtLeast, "2.0")))
        ("a < b c", None)
        ("7 zip", None)"#]]
    .assert_eq(
        &[" bash ", "bash <= 5", "Contoso Suite >= 2.0", "a < b c", "7 zip"].map(read).join("\n"),
    );
}
