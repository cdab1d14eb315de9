use std::fs;
use std::path::Path;

use ambient::Ambient;
use expect_test::expect;
use model::{ClientId, Form, ReportOutcome, SoftwareOrigin, Timestamp};
use proptest::prelude::*;
use tempfile::TempDir;
use update_metadata::PackageOrder;
use uuid::Uuid;

use super::*;
use crate::machine::{Machine as _, PretendedMachine};
use crate::quarantine::Quarantine;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    fs::write(path, text).expect("writes");
}

fn sources(root: &TempDir) -> Sources {
    let restart_flags = vec![root.path().join("run/reboot-required")];
    Sources { root: root.path().to_owned(), restart_flags, is_running: false }
}

fn server() -> TempDir {
    let root = TempDir::new().expect("a directory");
    let files = [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVARIANT_ID=server\n"),
        ("etc/hostname", "db1.corp.example\n"),
        ("etc/timezone", "Europe/Berlin\n"),
        ("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n"),
        ("proc/stat", "cpu 1 2 3\nbtime 1700000000\n"),
        ("proc/meminfo", "MemTotal:        2048000 kB\nMemFree: 1 kB\n"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast 9\n\nprocessor\t: 1\n"),
        ("sys/class/dmi/id/sys_vendor", "Contoso\n"),
        ("sys/class/dmi/id/product_name", "To Be Filled By O.E.M.\n"),
        ("sys/class/dmi/id/product_serial", "CZ12\n"),
        ("sys/class/dmi/id/bios_version", "1.7\n"),
        ("sys/class/net/eth0/address", "02:00:00:00:00:01\n"),
        ("sys/class/net/lo/address", "00:00:00:00:00:00\n"),
        (
            "var/lib/dpkg/status",
            "Package: bash\nStatus: install ok installed\nArchitecture: amd64\n\
                                 Version: 5.2\n\nPackage: gone\nStatus: deinstall ok config-files\n\
                                 Version: 1\n",
        ),
        ("run/reboot-required", ""),
    ];
    files.into_iter().for_each(|(path, text)| write(root.path(), path, text));
    root
}

#[tokio::test]
async fn a_linux_computer_describes_itself_by_its_files() {
    let root = server();
    let mut found = collect(&sources(&root)).await;
    // When the identity was written, and what this test was built for.
    assert_eq!(found.computer.os.installed_on, None);
    found.computer.os.architecture.clear();
    expect![[r#"
        Inventory {
            computer: Computer {
                hardware: Hardware {
                    manufacturer: "Contoso",
                    model: "",
                    serial: "CZ12",
                    firmware: "1.7",
                    cpu: "Fast 9",
                    cpu_count: 2,
                    memory: 2097152000,
                },
                os: OperatingSystem {
                    id: "debian",
                    version: "12",
                    kernel: "6.1.0-28-amd64",
                    build: "",
                    edition: "server",
                    architecture: "",
                    installed_on: None,
                    started_at: Some(
                        Timestamp(
                            1700000000000,
                        ),
                    ),
                    domain: "corp.example",
                    form: Some(
                        Server,
                    ),
                    time_zone: "Europe/Berlin",
                },
                disks: {},
                interfaces: {
                    "eth0": Interface {
                        mac: "02:00:00:00:00:01",
                        addresses: {},
                    },
                },
                is_restart_pending: true,
            },
            software: {
                Software {
                    name: "bash",
                    version: "5.2",
                    architecture: "amd64",
                    origin: Dpkg,
                },
            },
        }"#]]
    .assert_eq(&format!("{found:#?}"));
}

#[tokio::test]
async fn a_computer_that_says_nothing_is_unknown() {
    let root = TempDir::new().expect("a directory");
    let found = collect(&sources(&root)).await;
    let mut nothing = Inventory::default();
    nothing.computer.os.id = "linux".to_owned();
    nothing.computer.os.architecture = linux::architecture().to_owned();
    assert_eq!(found, nothing);
}

#[tokio::test]
async fn the_computer_of_this_test_describes_itself() {
    let root = "/".into();
    let found = collect(&Sources { root, restart_flags: Vec::new(), is_running: true }).await;
    let Computer { hardware, os, .. } = found.computer;
    assert!(hardware.memory > 1 << 20 && hardware.cpu_count > 0, "{hardware:?}");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").expect("Linux says so");
    assert_eq!(os.kernel, kernel.trim());
    assert!(os.started_at.is_some(), "{os:?}");
}

#[test]
fn lists_of_packages_and_tables_of_the_kernel_are_read() {
    let list = "bash\t5.1-2\tx86_64\ngpg-pubkey\t1\t(none)\nodd\n\nk\t1:2-3\tarm\n";
    let rpms: Vec<Software> = packages::rpm_list(list).collect();
    let shown: Vec<String> =
        rpms.iter().map(|p| format!("{} {} {}", p.name, p.version, p.architecture)).collect();
    assert_eq!(shown, ["bash 5.1-2 x86_64", "k 1:2-3 arm"]);
    assert!(rpms.iter().all(|package| package.origin == SoftwareOrigin::Rpm));
    let mounts = "/dev/sda1 / ext4 rw 0 0\n/dev/sda1 /again ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n\
                  /dev/sdb /odd\\040name xfs rw 0 0\n/dev/sdc /data xfs rw 0 0\nbroken\n";
    assert_eq!(linux::mounted(mounts), ["/", "/data"]);
    let v6 = "fe80000000000000000000000000beef 02 40 20 80 eth0\n\
              20010db8000000000000000000000007 02 40 00 80 eth0\nbroken\n";
    expect![[r#"{"eth0": {2001:db8::7}}"#]].assert_eq(&format!("{:?}", linux::addresses_v6(v6)));
    let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.1.7\n        /32 host LOCAL\n\
                     |-- 10.0.1.255\n        /32 link BROADCAST\n     |-- 127.0.0.1\n        \
                     /32 host LOCAL\n";
    let route = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                 eth0 00000000 0101000A 0003 0 0 0 00000000 0 0 0\n\
                 eth1 0001000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
    expect![[r#"{"eth1": {10.0.1.7}}"#]]
        .assert_eq(&format!("{:?}", linux::addresses_v4(trie, route)));
}

#[test]
fn a_system_says_which_one_it_is() {
    let release = "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n";
    assert_eq!(release::id(release), "debian");
    assert_eq!(release::variable(release, "VERSION_ID").as_deref(), Some("12"));
    assert_eq!((release::id(""), release::id("ID=\n")), ("linux".into(), "linux".into()));
}

#[test]
fn of_several_versions_the_latest_is_installed() {
    let status = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\n\
                  Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                  Package: c\nDescription: none\n";
    let latest = packages::latest(packages::dpkg(status), PackageOrder::Debian);
    expect![[r#"{"a": "1:2-3"}"#]].assert_eq(&format!("{latest:?}"));
    let list = "kernel\t5.14.0-427.el9\tx86_64\nkernel\t5.14.0-70.el9\tx86_64\n\
                shim\t1:15-1\tx86_64\nshim\t16-1\tx86_64\nodd\n";
    let latest = packages::latest(packages::rpm_list(list), PackageOrder::Rpm);
    expect![[r#"{"kernel": "5.14.0-427.el9", "shim": "1:15-1"}"#]]
        .assert_eq(&format!("{latest:?}"));
}

#[test]
fn what_a_computer_is_for_is_said_or_unknown() {
    for (machine_info, release, chassis, expected) in [
        ("", "", "", None),
        ("", "", "1", None),
        ("", "", "10\n", Some(Form::Workstation)),
        ("", "", "23", Some(Form::Server)),
        ("", "VARIANT_ID=workstation\n", "23", Some(Form::Workstation)),
        ("", "VARIANT_ID=server", "10", Some(Form::Server)),
        ("CHASSIS=laptop\n", "VARIANT_ID=server", "", Some(Form::Workstation)),
        ("CHASSIS=vm", "VARIANT_ID=workstation", "10", Some(Form::Server)),
        ("CHASSIS=teapot", "", "3", Some(Form::Workstation)),
    ] {
        let case = (machine_info, release, chassis);
        assert_eq!(release::form(machine_info, release, chassis), expected, "{case:?}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd_to_be_read(text in "[ -~\\n\\t]{0,200}|.{0,60}") {
        let _ = (linux::processors(&text), linux::memory(&text), linux::started_at(&text));
        let _ = (linux::mounted(&text), linux::addresses_v6(&text), release::id(&text));
        let _ = (linux::addresses_v4(&text, &text), release::form(&text, &text, &text));
        let _ = (packages::dpkg(&text).count(), packages::rpm_list(&text).count());
    }
}

#[test]
fn what_is_too_much_is_cut_to_what_a_site_takes() {
    let mut large = Inventory::default();
    large.computer.hardware.cpu = "ü".repeat(200);
    let disks = (0..300).map(|number| (format!("{number:03}"), <_>::default()));
    large.computer.disks = disks.collect();
    let package = |number: u32| Software {
        name: format!("{number:05}"),
        version: String::new(),
        architecture: String::new(),
        origin: SoftwareOrigin::Dpkg,
    };
    large.software = (0..20_100).map(package).collect();
    let Inventory { computer, software } = bounded(large);
    assert_eq!((computer.hardware.cpu.len(), computer.disks.len()), (256, 256));
    assert_eq!(software.len(), INVENTORY_SOFTWARE_MAX);
}

const WINDOWS: &str = r#"
    architecture = "amd64"
    form = "workstation"
    zone = "Europe/Berlin"
    asks_for_restart = true
    [inventory]
    manufacturer = "Contoso"
    edition = "Enterprise"
    memory = 8589934592
    disks = { "C:" = { size = 500, free = 100 } }
    interfaces = { "Ethernet 1" = { mac = "02:00:00:00:00:01", addresses = ["10.0.0.7"] } }
    [windows]
    major = 10
    build = 26100
    product_type = 1
    [windows.msi_products.90160000-008c-0000-1000-0000000ff1ce]
    version = "16.0.4266.1001"
    "#;

#[tokio::test]
async fn a_facts_file_describes_computers_with_windows_too() {
    let machine = PretendedMachine::read(WINDOWS).expect("is read");
    expect![[r#"
        Inventory {
            computer: Computer {
                hardware: Hardware {
                    manufacturer: "Contoso",
                    model: "",
                    serial: "",
                    firmware: "",
                    cpu: "",
                    cpu_count: 0,
                    memory: 8589934592,
                },
                os: OperatingSystem {
                    id: "windows",
                    version: "10.0.26100",
                    kernel: "",
                    build: "26100",
                    edition: "Enterprise",
                    architecture: "amd64",
                    installed_on: None,
                    started_at: None,
                    domain: "",
                    form: Some(
                        Workstation,
                    ),
                    time_zone: "Europe/Berlin",
                },
                disks: {
                    "C:": Disk {
                        size: 500,
                        free: Some(
                            100,
                        ),
                    },
                },
                interfaces: {
                    "Ethernet 1": Interface {
                        mac: "02:00:00:00:00:01",
                        addresses: {
                            10.0.0.7,
                        },
                    },
                },
                is_restart_pending: true,
            },
            software: {
                Software {
                    name: "{90160000-008c-0000-1000-0000000ff1ce}",
                    version: "16.0.4266.1001",
                    architecture: "",
                    origin: Msi,
                },
            },
        }"#]]
    .assert_eq(&format!("{:#?}", machine.inventory().await));
}

#[test]
fn only_what_changed_is_said_and_everything_after_a_gap() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("inventory");
    let (data, ambient) = (directory.path(), Ambient::seeded(1, 0));
    let quarantine = Quarantine::within(data, ambient).expect("opens");
    let open_of =
        |client| Told::open(&path, ClientId(Uuid::from_u128(client)), &quarantine).expect("opens");
    let open = || open_of(1);
    let computer = |memory| {
        let mut inventory = Inventory::default();
        inventory.computer.hardware.memory = memory;
        inventory
    };
    let mut told = open();
    let report = |told: &Told, memory, incarnation| {
        told.report(&computer(memory), incarnation, Timestamp(9))
    };
    let said = |told: &Told, memory, incarnation| {
        report(told, memory, incarnation).map(|report| (report.serial, report.is_full))
    };
    let first = report(&told, 1, 7).expect("is news");
    assert_eq!((first.serial, first.is_full), (1, true));
    // Nobody took it: it is said again.
    assert_eq!(said(&told, 1, 7), Some((1, true)));
    told.taken(&first, &computer(1), None).expect("is kept");
    assert_eq!(said(&told, 1, 7), None);
    let mut told = open();
    assert_eq!(said(&told, 1, 7), None);
    assert_eq!(said(&told, 2, 7), Some((2, false)));
    assert_eq!(said(&told, 2, 8), Some((1, true)));
    let second = report(&told, 2, 7).expect("is news");
    told.taken(&second, &computer(2), Some(ReportOutcome::SendFull)).expect("is kept");
    assert_eq!(said(&told, 2, 7), Some((3, true)));
    assert_eq!(said(&open(), 2, 7), Some((3, true)));
    assert_eq!(said(&open_of(2), 2, 7), Some((1, true)), "of another client nothing is said");
    assert_eq!(quarantine.look().0, 1);
    fs::write(&path, "garbage").expect("writes");
    assert_eq!(said(&open(), 2, 7), Some((1, true)));
    assert_eq!(quarantine.look().0, 2);
    fs::create_dir(&path).expect("it can be made");
    assert_eq!(said(&open(), 2, 7), Some((1, true)));
    assert_eq!(quarantine.look().0, 3);
}

#[tokio::test]
async fn a_facts_file_of_before_describes_linux() {
    let linux = "id = \"debian\"\narchitecture = \"amd64\"\n[packages]\nbash = \"5\"\n";
    let machine = PretendedMachine::read(linux).expect("is read");
    let found = machine.inventory().await;
    assert_eq!((found.computer.os.id.as_str(), found.software.len()), ("debian", 1));
}
