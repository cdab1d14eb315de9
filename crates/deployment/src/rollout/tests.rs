use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const DAY_MS: i64 = 24 * HOUR_MS;

fn rollout(days: u8, stopped_at: Option<i64>) -> Rollout {
    Rollout { from: Timestamp(DAY_MS), days, stopped_at: stopped_at.map(Timestamp) }
}

fn clients_with(rollout: &Rollout, now: i64) -> Vec<ClientId> {
    let share = share(rollout, Timestamp(now));
    let clients = (0..1_000).map(|number| ClientId(Uuid::from_u128(number)));
    clients.filter(|client| has(*client, DeploymentId(Uuid::from_u128(7)), share)).collect()
}

#[test]
fn everybody_has_it_at_the_end_and_nobody_before_the_beginning() {
    let five = rollout(5, None);
    assert_eq!(clients_with(&five, DAY_MS - 1).len(), 0);
    let half = clients_with(&five, DAY_MS + 5 * DAY_MS / 2).len();
    assert!((430..570).contains(&half), "{half} of 1,000 have it at half time");
    assert_eq!(clients_with(&five, 6 * DAY_MS).len(), 1_000);
    assert_eq!(grows_at(&five, Timestamp(6 * DAY_MS)), None);
    assert_eq!(clients_with(&rollout(0, None), DAY_MS).len(), 1_000);
}

proptest! {
    #[test]
    fn it_only_grows_and_says_when(days in 0_u8..=30, a in 0..40 * DAY_MS, b in 0..40 * DAY_MS) {
        let (rollout, early, late) = (rollout(days, None), a.min(b), a.max(b));
        let (before, after) = (clients_with(&rollout, early), clients_with(&rollout, late));
        prop_assert!(before.iter().all(|client| after.contains(client)));
        let (early, late) = (Timestamp(early), Timestamp(late));
        if grows_at(&rollout, early).is_none_or(|at| late < at) {
            prop_assert_eq!(share(&rollout, early), share(&rollout, late));
        }
    }

    #[test]
    fn the_turn_of_a_client_is_when_it_gets_it(days in 1_u8..=30, now in 0..40 * DAY_MS) {
        let (rollout, id) = (rollout(days, None), DeploymentId(Uuid::from_u128(7)));
        let client = ClientId(Uuid::from_u128(3));
        let has = |at: i64| has(client, id, share(&rollout, Timestamp(at)));
        match turn(&rollout, (client, id), Timestamp(now)) {
            Turn::Come => prop_assert!(has(now)),
            Turn::At(at) => prop_assert!(has(at.0) && !has(at.0 - 1) && at.0 > now),
            Turn::Stopped => prop_assert!(false, "nobody stopped it"),
        }
        let stopped = Rollout { stopped_at: Some(Timestamp(0)), ..rollout };
        prop_assert_eq!(turn(&stopped, (client, id), Timestamp(now)), Turn::Stopped);
    }

    #[test]
    fn what_is_stopped_stays(days in 1_u8..=30, stop in 0..40 * DAY_MS, later in 0..40 * DAY_MS) {
        let stopped = rollout(days, Some(stop));
        let now = stop + later;
        prop_assert_eq!(share(&stopped, Timestamp(now)), share(&stopped, Timestamp(stop)));
        prop_assert_eq!(grows_at(&stopped, Timestamp(now)), None);
    }
}
