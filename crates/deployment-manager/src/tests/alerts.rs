//! Alerts of deployments against a board and a clock that stands.

use model::{Alert, TimeBasis};
use site_db::StatusFilter;

use super::phases::{Fleet, Says, fleet};
use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

impl Fleet {
    fn alerted(&self, change: impl FnOnce(Deployment) -> Deployment) {
        let (id, group) = (DeploymentId(id(60)), object("PR100001"));
        let plain = Deployment::plain(id, group, object(ALL_SYSTEMS), Timestamp(0));
        let alert = Some(Alert { below_percent: 50, after_days: 1 });
        let deployment = change(Deployment { name: "May".to_owned(), alert, ..plain });
        self.db.write_blocking(move |w| w.put_own(&deployment)).expect("written");
    }

    /// Looks once after some hours; tells what was said so far and whether the alert stands.
    async fn after(&self, hours: i64) -> (String, bool) {
        self.clock.advance_ms(hours * HOUR_MS);
        self.manager.step_alerts().await.expect("a look");
        let read = |r: &site_db::Reader<'_>| {
            let messages = r.status_messages(&StatusFilter::default(), 9)?;
            Ok::<_, site_db::Error>((messages, r.deployment_alerts()?))
        };
        let (messages, alerts) = self.db.read(read).await.expect("read");
        let said = messages.into_iter().map(|(_, message)| message.strings[1..].join(" "));
        (said.collect::<Vec<_>>().join("; "), !alerts.is_empty())
    }
}

#[tokio::test]
async fn an_alert_is_said_once_until_enough_comply() {
    let fleet = fleet();
    fleet.alerted(|deployment| deployment);
    assert_eq!(fleet.after(25).await, (String::new(), false), "nobody has counted yet");
    fleet.say(&[(10, Says::Has), (11, Says::Requires)]);
    let said = "May 1 4 50".to_owned();
    assert_eq!(fleet.after(0).await, (said.clone(), true));
    assert_eq!(fleet.after(1).await, (said.clone(), true));
    fleet.say(&[(10, Says::Has), (11, Says::Has)]);
    assert_eq!(fleet.after(1).await, (said.clone(), false));
    fleet.say(&[(10, Says::Has)]);
    assert_eq!(fleet.after(1).await, (format!("{said}; {said}"), true));
    fleet.alerted(|deployment| Deployment { enabled: false, ..deployment });
    assert_eq!(fleet.after(1).await, (format!("{said}; {said}"), false));
}

/// Symptom: after a restore an alert was raised over an update that everybody has. Cause: updates
/// that had not arrived were left out of the count.
#[tokio::test]
async fn nothing_is_said_over_what_has_not_arrived() {
    let fleet = fleet();
    let fill = |updates: &[u128]| {
        let updates = updates.iter().map(|number| UpdateId(id(*number))).collect();
        let group = UpdateGroup::plain(object("PR100001"), "May".to_owned(), updates);
        fleet.db.write_blocking(move |w| w.put_own(&group)).expect("written");
    };
    fleet.alerted(|deployment| deployment);
    fleet.say(&[(10, Says::Requires)]);
    fill(&[50, 51]);
    assert_eq!(fleet.after(25).await, (String::new(), false));
    fill(&[50]);
    assert_eq!(fleet.after(0).await, ("May 0 4 50".to_owned(), true));
    fleet.say(&[10, 11, 12, 13].map(|client| (client, Says::Has)));
    fill(&[50, 51]);
    assert!(fleet.after(0).await.1, "it stands until it is known that enough comply");
}

#[tokio::test]
async fn an_alert_waits_for_the_deadline_on_the_last_clock() {
    let fleet = fleet();
    fleet.say(&[]);
    fleet.alerted(|deployment| Deployment { basis: TimeBasis::ClientLocal, ..deployment });
    assert!(!fleet.after(35).await.1);
    assert!(fleet.after(1).await.1);
    let later = Some(Timestamp(48 * HOUR_MS));
    fleet.alerted(|deployment| Deployment { deadline: later, ..deployment });
    assert!(!fleet.after(1).await.1, "the deadline was moved");
}
