//! What collections choose clients by: the vocabulary of their queries, and what is known of a
//! client.
//!
//! Owns the names, and how a record answers them. Refuses to know which queries there are. What
//! a record does not tell is unknown, and chooses nobody.

use model::{ClientRecord, Timestamp};
use query::{Fact, Field, Test, Type, Version, Vocabulary};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

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
        Field { name: "architecture", of: Type::Text },
        Field { name: "agent.version", of: Type::Version },
        Field { name: "manufacturer", of: Type::Text },
        Field { name: "model", of: Type::Text },
        Field { name: "address", of: Type::Address },
        Field { name: "seen.days", of: Type::Number },
    ],
    tests: &[Test { name: INSTALLED }, Test { name: REQUIRED }, Test { name: MEMBER }],
};

/// Whether the client has an update, by its id or knowledge base article.
pub(crate) const INSTALLED: &str = "installed";
/// Whether the client lacks an update that it should have.
pub(crate) const REQUIRED: &str = "required";
/// Whether the client is in the collection of a code.
pub const MEMBER: &str = "member";

/// What a record says of a client. None: it does not tell.
pub(crate) fn fact<'a>(record: &'a ClientRecord, field: &str, now: Timestamp) -> Option<Fact<'a>> {
    let told = |text: &'a str| (!text.is_empty()).then_some(Fact::Text(text));
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

/// The word of `windows 10.0.26100` or `linux debian 12` that is a version.
fn os_version(os: &str) -> Option<&str> {
    os.split_whitespace().find(|word| Version::parse(word).is_some())
}
