//! Plans as text, for operators, logs and tests.

use std::fmt::{Display, Formatter, Result};

use crate::{Missing, Note, Outcome, Part, PolicyPlan};

impl Display for PolicyPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, part) in self.parts.iter().enumerate() {
            writeln!(f, "part {index}: {part}")?;
        }
        for client in &self.clients {
            writeln!(f, "client {}: parts {:?}", client.client, client.parts)?;
        }
        for (deployment, outcome) in &self.deployments {
            writeln!(f, "deployment {deployment}: {outcome}")?;
        }
        Ok(())
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Part::Settings(settings) => write!(f, "settings, catalog {}", settings.catalog_version),
            Part::Servers(list) => {
                f.write_str("servers")?;
                list.servers.iter().try_for_each(|server| {
                    write!(f, " {}/{} {}", server.site, server.kind, server.url)?;
                    match server.after_minutes {
                        0 => Ok(()),
                        minutes => write!(f, " after {minutes} minutes"),
                    }
                })
            }
            Part::Windows(list) => {
                f.write_str("windows")?;
                list.windows.iter().try_for_each(|window| write!(f, " {}", window.code))
            }
            Part::Options(options) => {
                f.write_str("options")?;
                let mut values = options.values.iter();
                values.try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Part::Assignment(part) => {
                let (deployment, name, intent) = (part.deployment, &part.name, part.intent);
                write!(f, "assignment {deployment} \"{name}\" {}", intent.as_str())?;
                part.updates.iter().try_for_each(|update| {
                    let model::UpdateRef { id, revision } = update.update;
                    write!(f, "\n  {id}/{revision}")?;
                    update.files.iter().try_for_each(|file| write!(f, " {}", file.name))
                })
            }
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Outcome::Planned { clients, updates, notes } => {
                write!(f, "{updates} updates for {clients} clients")?;
                notes.iter().try_for_each(|note| write!(f, "; {note}"))
            }
            Outcome::Waiting(missing) => {
                let all: Vec<String> = missing.iter().map(Missing::to_string).collect();
                write!(f, "waiting for {}", all.join(", "))
            }
            Outcome::Disabled => f.write_str("disabled"),
            Outcome::ReportOnly => f.write_str("only counts who complies"),
            Outcome::Held(site) => write!(f, "held by {site}"),
            Outcome::Elsewhere(owner) => write!(f, "acts on clients of {owner} only"),
        }
    }
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} of {}", self.id, self.site)
    }
}

impl Display for Note {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Note::Expired(update) => write!(f, "{update} is expired and left out"),
            Note::Declined(update) => write!(f, "{update} is declined and left out"),
            Note::Hidden(update) => {
                write!(f, "{update} comes only with its bundle and is left out")
            }
            Note::NoContent(update) => write!(f, "{update} waits for content"),
        }
    }
}
