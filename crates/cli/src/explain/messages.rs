//! What status messages say, as the page for operators has it.
//!
//! Owns reading that page, so that it is the only place where it is written down. A number that is
//! not there is none of ours.

use serde_json::json;

use crate::output::{Format, csv_line, pretty};

const PAGE: &str = include_str!("../../../../docs/status-messages.md");

/// A row of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    number: &'a str,
    component: &'a str,
    severity: &'a str,
    says: &'a str,
    strings: &'a str,
}

/// What is known of the number.
pub(super) fn find(number: &str) -> Option<Message<'static>> {
    number.parse::<u32>().ok()?;
    let (mut title, mut names) = ("", Vec::new());
    for line in PAGE.lines() {
        title = line.strip_prefix("## ").unwrap_or(title);
        let cells = line.strip_prefix('|').map(|line| line.split('|').map(str::trim));
        let cells: Vec<&str> = cells.into_iter().flatten().collect();
        match cells.first() {
            Some(&"number") => names = cells,
            Some(first) if *first == number => {
                let cell = |name| {
                    let at = names.iter().position(|known| *known == name)?;
                    cells.get(at).map(|cell| cell.trim_matches('`'))
                };
                let of_title = title.split('`').nth(1).unwrap_or_default();
                return Some(Message {
                    number: first,
                    component: cell("component").unwrap_or(of_title),
                    severity: cell("severity").unwrap_or("audit"),
                    says: cell("says").unwrap_or_default(),
                    strings: cell("strings").unwrap_or_default(),
                });
            }
            _ => {}
        }
    }
    None
}

impl Message<'_> {
    pub(super) fn render(&self, format: Format) -> String {
        let Message { number, component, severity, says, strings } = self;
        let fields = [
            ("number", *number),
            ("component", component),
            ("severity", severity),
            ("says", says),
            ("strings", strings),
        ];
        match format {
            Format::Json => {
                let number: u32 = number.parse().unwrap_or_default();
                pretty(&json!({
                    "number": number, "component": component, "severity": severity, "says": says,
                    "strings": strings,
                }))
            }
            Format::Csv => {
                let names = csv_line(fields.iter().map(|(name, _)| (*name).to_owned()));
                names + &csv_line(fields.iter().map(|(_, value)| (*value).to_owned()))
            }
            Format::Table => {
                fields.iter().map(|(name, value)| format!("{name:9}  {value}\n")).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn numbers_are_found_on_the_page() {
        let said = |number| find(number).expect("is there").render(Format::Table);
        expect![[r#"
            number     6703
            component  SMS_WSUS_SYNC_MANAGER
            severity   error
            says       it failed or was cancelled
            strings    cause
        "#]]
        .assert_eq(&said("6703"));
        expect![[r#"
            number     60111
            component  SMS_DISTRIBUTION_POINT
            severity   information
            says       a package version is installed and verified on the point
            strings    package, version, files
        "#]]
        .assert_eq(&said("60111"));
        assert_eq!(find("30001").map(|message| message.severity), Some("audit"));
        for other in ["6799", "number", "---", "", "-2145107924", "0x8024401C"] {
            assert_eq!(find(other), None, "{other}");
        }
    }
}
