use expect_test::expect;
use model::Timestamp;

use super::*;

fn run(step: SyncStep) -> SyncRun {
    SyncRun {
        number: 1,
        reason: "test".to_owned(),
        is_full: false,
        step,
        phase: String::new(),
        done: 0,
        total: 0,
        version: 34,
        updates_changed: 5,
        started_at: Timestamp(0),
        ended_at: None,
        cause: String::new(),
        products: Vec::new(),
    }
}

#[test]
fn every_transition_is_in_the_table() {
    let name = || "SUP2".to_owned();
    let events = [
        Event::Synchronized,
        Event::Complete,
        Event::Replica { name: name(), source: "https://sup1".to_owned() },
        Event::ReplicaDone { name: name() },
        Event::ReplicaFailed { name: name(), cause: "gone".to_owned() },
        Event::Tried { failures: 0 },
        Event::Tried { failures: 1 },
        Event::Failed { cause: "no route".to_owned() },
        Event::Cancelled { by: "ann".to_owned() },
    ];
    let mut table = String::new();
    for (place, step) in [Place::Top, Place::Child]
        .into_iter()
        .flat_map(|place| SyncStep::ALL.map(|step| (place, step)))
    {
        for event in &events {
            let Ok(next) = plan_next((place, "SUP1"), &run(step), event, 233_000) else { continue };
            let message = next.message.map_or_else(String::new, |message| {
                format!(" {} {} {:?}", message.id, message.machine, message.strings)
            });
            let event = format!("{event:?}");
            let event = event.split(' ').next().unwrap_or_default();
            let (from, to) = (step.as_str(), next.step.as_str());
            table += &format!("{place:?} {from} + {event} = {to}{message} {}\n", next.cause);
        }
    }
    expect![[r#"
        Top update_point + Synchronized = database 6705 SUP1 ["synchronizing updates"] 
        Top update_point + Failed = failed 6703 SUP1 ["no route"] no route
        Top update_point + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
        Top database + Complete = replicas 6702 SUP1 ["34", "5", "0d00h03m53s"] 
        Top database + Failed = failed 6703 SUP1 ["no route"] no route
        Top database + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
        Top replicas + Replica = replicas 6706 SUP2 ["https://sup1"] 
        Top replicas + ReplicaDone = replicas 6702 SUP2 ["34", "5", "0d00h03m53s"] 
        Top replicas + ReplicaFailed = replicas 6703 SUP2 ["gone"] 
        Top replicas + Tried = succeeded 
        Top replicas + Tried = failed 1 other update points did not follow
        Top replicas + Failed = failed 6703 SUP1 ["no route"] no route
        Top replicas + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
        Child update_point + Complete = replicas 6702 SUP1 ["34", "5", "0d00h03m53s"] 
        Child update_point + Failed = failed 6703 SUP1 ["no route"] no route
        Child update_point + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
        Child database + Failed = failed 6703 SUP1 ["no route"] no route
        Child database + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
        Child replicas + Replica = replicas 6706 SUP2 ["https://sup1"] 
        Child replicas + ReplicaDone = replicas 6702 SUP2 ["34", "5", "0d00h03m53s"] 
        Child replicas + ReplicaFailed = replicas 6703 SUP2 ["gone"] 
        Child replicas + Tried = succeeded 
        Child replicas + Tried = failed 1 other update points did not follow
        Child replicas + Failed = failed 6703 SUP1 ["no route"] no route
        Child replicas + Cancelled = cancelled 6703 SUP1 ["cancelled by ann"] cancelled by ann
    "#]]
    .assert_eq(&table);
}
