//! Tests of rows that Windows Management Instrumentation holds.

use crate::asked::{Doubtful, Test, any, known};
use crate::facts::{Name, WindowsFacts};
use crate::question::Subject;
use crate::wql::Query;

const DEFAULT_NAMESPACE: &str = "root\\cimv2";

/// Holds if the query finds anything.
pub(super) fn query(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let query: Query = test.required("WqlQuery")?;
    let namespace = test.optional("Namespace").unwrap_or(DEFAULT_NAMESPACE);
    let namespace = Name::from(namespace.trim_matches('\\').replace('/', "\\"));
    let class = windows.wmi.get(&namespace).and_then(|classes| classes.get(&query.class));
    let name = format!("{}:{}", namespace.as_str(), query.class.as_str());
    let rows = known(class, Subject::WmiClass, name)?;
    any(rows.iter().map(|row| query.selects(row)))
}
