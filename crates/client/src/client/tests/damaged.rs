//! What was set aside because it is damaged is said until somebody has taken it.

use model::SetAside;

use super::*;

#[test]
fn what_was_set_aside_is_said_once_and_by_the_next_life_too() {
    let mut scene = Scene::new(vec![with_file(1)]);
    scene.publish(vec![], &[]);
    scene.is_management_point_deaf = true;
    let set_aside = |count| SetAside {
        what: "the agent's memory".to_owned(),
        reason: "it is damaged".to_owned(),
        count,
    };
    for count in [1, 2] {
        scene.client.tell(Outcome::SetAside(set_aside(count)), scene.now);
        scene.run();
        scene.crash();
    }
    scene.run();
    let said = |scene: &Scene| -> Vec<SetAside> {
        scene.memory.unsent.iter().flat_map(|report| report.set_aside.clone()).collect()
    };
    assert_eq!(said(&scene), [set_aside(1), set_aside(2)]);
    scene.client.want_everything();
    scene.run();
    assert_eq!(said(&scene), [set_aside(1), set_aside(2)], "everything takes their place");
    scene.is_management_point_deaf = false;
    scene.wait(HOUR_MS);
    assert_eq!(said(&scene), []);
}
