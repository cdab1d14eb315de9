//! What collections choose clients by: the vocabulary of their queries, and what is known of a
//! client by its record and by its inventory.
//!
//! Owns the names and units, and how a client answers them. Refuses to know which queries there
//! are. What is not told is unknown, and chooses nobody.

use model::{ClientRecord, Computer, Form, OperatingSystem, Timestamp};
use query::{Fact, Field, Test, Type, Version, Vocabulary};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Memory and disks are counted in these.
const MEBIBYTE: u64 = 1 << 20;

/// What can be asked about clients.
pub const CLIENTS: Vocabulary = Vocabulary {
    fields: &[
        Field { name: "name", of: Type::Text },
        Field { name: "domain", of: Type::Text },
        Field { name: "site", of: Type::Text },
        Field { name: "kind", of: Type::Text },
        Field { name: "os", of: Type::Text },
        Field { name: "os.version", of: Type::Version },
        Field { name: "os.build", of: Type::Number },
        Field { name: "os.edition", of: Type::Text },
        Field { name: "kernel", of: Type::Text },
        Field { name: "form", of: Type::Text },
        Field { name: "architecture", of: Type::Text },
        Field { name: "agent.version", of: Type::Version },
        Field { name: "manufacturer", of: Type::Text },
        Field { name: "model", of: Type::Text },
        Field { name: "serial", of: Type::Text },
        Field { name: "firmware", of: Type::Text },
        Field { name: "cpu", of: Type::Text },
        Field { name: "cpu.count", of: Type::Number },
        // In MiB, as are disks.
        Field { name: "memory", of: Type::Number },
        // Of the disk that the system is on.
        Field { name: "disk.size", of: Type::Number },
        Field { name: "disk.free", of: Type::Number },
        Field { name: "mac", of: Type::Text },
        Field { name: "address", of: Type::Address },
        Field { name: "last_boot", of: Type::Time },
        Field { name: "installed_on", of: Type::Time },
        Field { name: "pending_restart", of: Type::Flag },
        Field { name: "time_zone", of: Type::Text },
        Field { name: "seen.days", of: Type::Number },
    ],
    tests: &[
        Test { name: INSTALLED },
        Test { name: REQUIRED },
        Test { name: MEMBER },
        Test { name: SOFTWARE },
    ],
};

/// Fields that inventories answer, alone or where the record does not.
pub(crate) const COMPUTER_FIELDS: &[&str] = &[
    "domain",
    "os.version",
    "os.build",
    "os.edition",
    "kernel",
    "form",
    "architecture",
    "manufacturer",
    "model",
    "serial",
    "firmware",
    "cpu",
    "cpu.count",
    "memory",
    "disk.size",
    "disk.free",
    "mac",
    "last_boot",
    "installed_on",
    "pending_restart",
    "time_zone",
];

/// Whether the client has an update, by its id or knowledge base article.
pub(crate) const INSTALLED: &str = "installed";
/// Whether the client lacks an update that it should have.
pub(crate) const REQUIRED: &str = "required";
/// Whether the client is in the collection of a code.
pub const MEMBER: &str = "member";
/// Whether the client has a package, of a version if one is named.
pub(crate) const SOFTWARE: &str = "installed_software";

/// What is known of a client. None: nothing tells.
pub(crate) fn fact<'a>(
    (record, computer): (&'a ClientRecord, Option<&'a Computer>),
    field: &str,
    now: Timestamp,
) -> Option<Fact<'a>> {
    of_record(record, field, now).or_else(|| of_computer(computer?, field))
}

fn told(text: &str) -> Option<Fact<'_>> {
    (!text.is_empty()).then_some(Fact::Text(text))
}

fn of_record<'a>(record: &'a ClientRecord, field: &str, now: Timestamp) -> Option<Fact<'a>> {
    match field {
        "name" => told(&record.name),
        "domain" => record.name.split_once('.').and_then(|(_, domain)| told(domain)),
        "site" => told(record.site.as_str()),
        "kind" => told(record.kind.as_str()),
        "os" => told(&record.os),
        "os.version" => os_version(&record.os).and_then(Version::parse).map(Fact::Version),
        "os.build" => {
            let build = os_version(&record.os)?.split('.').nth(2)?;
            build.parse().ok().map(Fact::Number)
        }
        "architecture" => told(&record.architecture),
        "agent.version" => Version::parse(&record.agent_version).map(Fact::Version),
        "manufacturer" => told(&record.manufacturer),
        "model" => told(&record.model),
        "address" => record.address.map(Fact::Address),
        "seen.days" => Some(Fact::Number(now.0.saturating_sub(record.seen_on.0) / DAY_MS)),
        _ => None,
    }
}

fn of_computer<'a>(computer: &'a Computer, field: &str) -> Option<Fact<'a>> {
    let Computer { hardware, os, disks, interfaces, is_restart_pending } = computer;
    // Sizes are far below the largest number; 0 says that it is not known.
    let number = |number: u64| i64::try_from(number).ok().filter(|number| *number > 0);
    let disk = || disks.get("/").or_else(|| disks.get("C:"));
    match field {
        "manufacturer" => told(&hardware.manufacturer),
        "model" => told(&hardware.model),
        "serial" => told(&hardware.serial),
        "firmware" => told(&hardware.firmware),
        "cpu" => told(&hardware.cpu),
        "cpu.count" => number(u64::from(hardware.cpu_count)).map(Fact::Number),
        "memory" => number(hardware.memory / MEBIBYTE).map(Fact::Number),
        "disk.size" => number(disk()?.size / MEBIBYTE).map(Fact::Number),
        "disk.free" => i64::try_from(disk()?.free? / MEBIBYTE).ok().map(Fact::Number),
        "mac" => {
            let known = interfaces.values().map(|interface| interface.mac.as_str());
            let known: Vec<&str> = known.filter(|mac| !mac.is_empty()).collect();
            (!known.is_empty()).then_some(Fact::Texts(known))
        }
        "pending_restart" => Some(Fact::Flag(*is_restart_pending)),
        _ => of_system(os, field),
    }
}

fn of_system<'a>(os: &'a OperatingSystem, field: &str) -> Option<Fact<'a>> {
    match field {
        "domain" => told(&os.domain),
        "os.version" => Version::parse(&os.version).map(Fact::Version),
        "os.build" => os.build.split('.').next()?.parse().ok().map(Fact::Number),
        "os.edition" => told(&os.edition),
        "kernel" => told(&os.kernel),
        "architecture" => told(&os.architecture),
        "form" => os.form.map(Form::as_str).map(Fact::Text),
        "last_boot" => os.started_at.map(Fact::Time),
        "installed_on" => os.installed_on.map(Fact::Time),
        "time_zone" => told(&os.time_zone),
        _ => None,
    }
}

/// The word of `windows 10.0.26100` or `linux debian 12` that is a version.
fn os_version(os: &str) -> Option<&str> {
    os.split_whitespace().find(|word| Version::parse(word).is_some())
}
