//! The layer table of docs/ARCHITECTURE.md as data: which crate may use which, and where outside
//! crates have their home. A new edge starts here, with a decision record.

/// Whether a list of names, separated by spaces, has this one.
pub(crate) fn lists(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|listed| listed == name)
}

/// Read from the top: a crate uses only crates above it, and of those only the ones listed.
pub(crate) const LAYERS: &[(&str, &str)] = &[
    // Words.
    ("model", ""),
    ("ambient", ""),
    // Formats.
    ("xml-guard", ""),
    ("update-metadata", "model xml-guard"),
    ("wsus-protocol", "xml-guard"),
    ("catalog-bundle", "model"),
    ("rpc", "model"),
    // Process.
    ("trust", "model ambient"),
    ("transport", "model ambient rpc trust"),
    ("daemon", "model ambient rpc trust transport"),
    // Pure decisions.
    ("replication", "model"),
    ("compliance", "model"),
    ("recurrence", "model"),
    ("query", "model"),
    ("deployment", "model compliance recurrence query"),
    ("client", "model rpc trust recurrence update-metadata"),
    ("publishing", "model ambient trust update-metadata"),
    // Stores.
    ("sqlite-engine", "ambient"),
    ("site-db", "model ambient rpc replication compliance recurrence trust sqlite-engine"),
    ("content-library", "model ambient sqlite-engine"),
    ("update-catalog", "model update-metadata sqlite-engine"),
    // Components of a site server.
    ("site-link", "model ambient rpc transport trust replication site-db sqlite-engine"),
    (
        "administration",
        "model ambient rpc transport trust deployment compliance recurrence query site-db \
         content-library publishing",
    ),
    ("sync-manager", "model ambient catalog-bundle rpc trust transport site-db"),
    ("distribution-manager", "model ambient rpc transport site-db content-library"),
    (
        "deployment-manager",
        "model ambient rpc trust deployment compliance recurrence query site-db",
    ),
    ("client-manager", "model ambient rpc transport compliance site-db"),
    // Roles.
    (
        "software-update-point",
        // compliance: its tests alone, which count what computers report.
        "model ambient compliance catalog-bundle rpc transport daemon wsus-protocol \
         update-metadata publishing update-catalog content-library sqlite-engine",
    ),
    ("management-point", "model ambient rpc transport daemon sqlite-engine"),
    ("distribution-point", "model ambient rpc transport daemon content-library sqlite-engine"),
    (
        "agent",
        "model ambient rpc transport trust daemon recurrence client update-metadata \
         update-catalog content-library sqlite-engine wsus-protocol",
    ),
    // Assembly.
    ("console", "model ambient rpc transport administration"),
    (
        "site",
        "model ambient rpc transport trust daemon compliance sqlite-engine site-db \
         content-library site-link administration sync-manager distribution-manager \
         deployment-manager client-manager software-update-point management-point \
         distribution-point console",
    ),
    (TESTKIT, "model ambient rpc trust transport wsus-protocol update-metadata xml-guard"),
    ("fleet", "model ambient rpc trust transport client recurrence update-metadata"),
    (
        "demo",
        "model ambient rpc transport trust daemon software-update-point management-point \
         distribution-point agent site testkit fleet",
    ),
    ("cli", "model ambient rpc transport trust publishing demo"),
    (
        SIMULATION,
        "model ambient xml-guard update-metadata wsus-protocol rpc trust transport daemon \
         publishing replication compliance recurrence query deployment client sqlite-engine \
         site-db \
         content-library update-catalog \
         site-link administration sync-manager distribution-manager deployment-manager \
         client-manager software-update-point management-point distribution-point agent console \
         site testkit fleet demo",
    ),
    ("xtask", ""),
];

/// Owns the cross-crate tests and the benchmarks, which also measure the raw side of things.
pub(crate) const SIMULATION: &str = "sim";

/// Any crate's tests may use it, except in the crates it uses itself.
pub(crate) const TESTKIT: &str = "testkit";

/// Outside crates and the members that may depend on them; one not listed may be used anywhere.
pub(crate) const HOMES: &[(&str, &str)] = &[
    ("rusqlite", "sqlite-engine"),
    ("quick-xml", "xml-guard update-metadata wsus-protocol"),
    // testkit makes servers of authorities outside the hierarchy.
    ("rcgen", "trust testkit"),
    ("rustls-webpki", "trust"),
    ("x509-parser", "trust"),
    // wsus-protocol seals its cookies.
    ("ring", "trust wsus-protocol"),
    ("tokio-rustls", "transport testkit"),
    // Every program installs the process-wide provider first.
    (
        "rustls",
        "transport daemon software-update-point management-point distribution-point agent site \
         demo cli testkit",
    ),
    ("prost", "rpc cli"),
    ("prost-reflect", "cli"),
    ("prost-types", "rpc"),
    ("protox", "rpc"),
    ("tonic-prost", "rpc"),
    ("tonic-prost-build", "rpc"),
    ("getrandom", "ambient"),
    ("authenticode", "publishing"),
    ("cms", "publishing"),
    ("cfb", "publishing"),
    ("msi", "publishing"),
];

/// Crates that decide or translate, and outside crates they must stay free of.
pub(crate) const PURE: &str = "model xml-guard update-metadata wsus-protocol catalog-bundle \
     replication compliance deployment publishing";
pub(crate) const IMPURE: &str = "axum hyper tokio tokio-util tonic";

#[cfg(test)]
mod tests;
