//! Restarts (DEP-22 … DEP-24, INT-08 … INT-10, INT-13, CSET-16 … CSET-18, MW-05).

use super::*;

impl Scene {
    /// Update 1 wants a restart; somebody is logged on.
    async fn wanting_restart(deadline_ms: i64) -> (Scene, Assignment) {
        let mut scene = Scene::new(&[1]).await;
        scene.computer.needs_restart(1);
        scene.computer.lock().has_users = true;
        let deployment = scene.required(&[1], deadline_ms);
        (scene, deployment)
    }
}

/// DEP-22, INT-10: nobody is logged on, so that the restart comes at once; what it completes is
/// told.
#[tokio::test]
async fn the_system_is_restarted_when_an_installation_needs_it() {
    let (mut scene, deployment) = Scene::wanting_restart(HOUR_MS).await;
    scene.computer.lock().has_users = false;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS - 1).await;
    scene.take_log();
    scene.wait(HOUR_MS).await;
    expect![[r#"
        60 report: 1 required/installing; deployment d non_compliant/installing
        60 scan: before installation
        60 report: no news
        60 the installer of 1 runs
        60 report: 1 required/pending_restart; deployment d non_compliant/pending_restart
        60 scan: after installation
        60 the system restarts
        62 the system starts
        62 scan: after restart
        62 report: 1 installed; deployment d compliant/installed
    "#]]
    .assert_eq(&scene.take_log());
}

/// DEP-23: installed before the deadline, the restart waits for the deadline.
#[tokio::test]
async fn the_restart_of_an_early_installation_waits_for_the_deadline() {
    let (mut scene, deployment) = Scene::wanting_restart(8 * HOUR_MS).await;
    scene.computer.lock().has_users = false;
    scene.publish(vec![deployment], &[]).await;
    scene.ask_to_install(1).await;
    scene.wait(9 * HOUR_MS).await;
    expect![[r#"
        0 alice asks for an installation
        0 the installer of 1 runs
        480 the system restarts
        482 the system starts
    "#]]
    .assert_eq(&scene.take_acts());
}

/// DEP-23: unless the computer restarts earlier for another reason.
#[tokio::test]
async fn an_earlier_restart_for_another_reason_is_enough() {
    let (mut scene, deployment) = Scene::wanting_restart(8 * HOUR_MS).await;
    scene.computer.lock().has_users = false;
    scene.publish(vec![deployment], &[]).await;
    scene.ask_to_install(1).await;
    scene.wait(2 * HOUR_MS).await;
    scene.restart().await;
    scene.wait(9 * HOUR_MS).await;
    expect![[r#"
        0 alice asks for an installation
        0 the installer of 1 runs
        120 alice restarts the system
        122 the system starts
    "#]]
    .assert_eq(&scene.take_acts());
}

/// DEP-24: of servers and of workstations apart.
#[tokio::test]
async fn restarts_of_servers_and_of_workstations_are_suppressed_apart() {
    use model::Form;
    let mut log = String::new();
    for form in [Form::Server, Form::Workstation] {
        for suppressed in [Form::Server, Form::Workstation] {
            let (mut scene, mut deployment) = Scene::wanting_restart(0).await;
            (scene.computer.lock().form, scene.computer.lock().has_users) = (form, false);
            deployment.experience.suppress_restart_servers = suppressed == Form::Server;
            deployment.experience.suppress_restart_workstations = suppressed == Form::Workstation;
            scene.publish(vec![deployment], &[]).await;
            scene.wait(DAY_MS).await;
            log += &format!("{form:?}, suppressed on {suppressed:?}s:\n{}", scene.take_acts());
        }
    }
    expect![[r#"
        Server, suppressed on Servers:
        0 the installer of 1 runs
        Server, suppressed on Workstations:
        0 the installer of 1 runs
        0 the system restarts
        2 the system starts
        Workstation, suppressed on Servers:
        0 the installer of 1 runs
        0 the system restarts
        2 the system starts
        Workstation, suppressed on Workstations:
        0 the installer of 1 runs
    "#]]
    .assert_eq(&log);
}

/// CSET-16: by default 90 minutes after the deadline, with a countdown of 15.
#[tokio::test]
async fn users_are_told_of_the_restart_and_counted_down_to() {
    let (mut scene, deployment) = Scene::wanting_restart(HOUR_MS).await;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(4 * HOUR_MS).await;
    expect![[r#"
        60 the installer of 1 runs
        60 users are told: Updates were installed. This computer restarts in 90 minutes; save your work.
        135 users are told: Updates were installed. This computer restarts in 15 minutes; save your work.
        150 the system restarts
        152 the system starts
    "#]].assert_eq(&scene.take_acts());
}

/// CSET-16: the delay is a setting; with a long one come reminders, of which none falls into the
/// countdown.
#[tokio::test]
async fn users_are_reminded_of_a_restart_that_is_far_away() {
    let (mut scene, deployment) = Scene::wanting_restart(0).await;
    let options = [("restart.delay", "600"), ("restart.countdown", "60")];
    scene.publish(vec![deployment], &options).await;
    scene.wait(11 * HOUR_MS).await;
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 600 minutes; save your work.
        240 users are told: Updates were installed. This computer restarts in 360 minutes; save your work.
        480 users are told: Updates were installed. This computer restarts in 120 minutes; save your work.
        540 users are told: Updates were installed. This computer restarts in 60 minutes; save your work.
        600 the system restarts
        602 the system starts
    "#]].assert_eq(&scene.take_acts());
}

/// INT-10, INT-13: who puts it off is asked again after half an hour, and cannot put it off beyond
/// the delay.
#[tokio::test]
async fn a_user_puts_the_restart_off_and_is_asked_again() {
    let (mut scene, deployment) = Scene::wanting_restart(0).await;
    scene.publish(vec![deployment], &[]).await;
    scene.ask(Request::Reboot { defer_minutes: Some(91) }).await;
    scene.ask(Request::Reboot { defer_minutes: Some(80) }).await;
    scene.wait(2 * HOUR_MS).await;
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 90 minutes; save your work.
        0 alice asks for a later restart: the restart cannot be put off beyond 2026-11-20T11:30:00.000Z
        0 alice asks for a later restart
        30 users are told: Updates were installed. This computer restarts in 50 minutes; save your work.
        60 users are told: Updates were installed. This computer restarts in 20 minutes; save your work.
        65 users are told: Updates were installed. This computer restarts in 15 minutes; save your work.
        80 the system restarts
        82 the system starts
    "#]].assert_eq(&scene.take_acts());
}

/// INT-13: how soon they are asked again is a setting.
#[tokio::test]
async fn the_time_between_prompts_is_a_setting() {
    let (mut scene, deployment) = Scene::wanting_restart(0).await;
    let options = [("restart.prompt_delay", "10"), ("restart.countdown", "5")];
    scene.publish(vec![deployment], &options).await;
    scene.ask(Request::Reboot { defer_minutes: Some(40) }).await;
    scene.wait(HOUR_MS).await;
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 90 minutes; save your work.
        0 alice asks for a later restart
        10 users are told: Updates were installed. This computer restarts in 30 minutes; save your work.
        20 users are told: Updates were installed. This computer restarts in 20 minutes; save your work.
        30 users are told: Updates were installed. This computer restarts in 10 minutes; save your work.
        35 users are told: Updates were installed. This computer restarts in 5 minutes; save your work.
        40 the system restarts
        42 the system starts
    "#]].assert_eq(&scene.take_acts());
}

/// INT-08, INT-10: where users do not control it they are told, and it comes after the delay of a
/// scheduled installation.
#[tokio::test]
async fn without_control_users_are_told_and_the_restart_follows() {
    let mut log = String::new();
    for delay in [&[][..], &[("restart.scheduled_delay", "25")]] {
        let (mut scene, deployment) = Scene::wanting_restart(0).await;
        let options = [&[("restart.user_control", "no")][..], delay].concat();
        scene.publish(vec![deployment], &options).await;
        scene.ask(Request::Reboot { defer_minutes: Some(5) }).await;
        scene.wait(HOUR_MS).await;
        log += &scene.take_acts();
    }
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 15 minutes; save your work.
        0 alice asks for a later restart: the restart cannot be put off beyond 2026-11-20T10:15:00.000Z
        15 the system restarts
        17 the system starts
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 25 minutes; save your work.
        0 alice asks for a later restart: the restart cannot be put off beyond 2026-11-20T10:25:00.000Z
        10 users are told: Updates were installed. This computer restarts in 15 minutes; save your work.
        25 the system restarts
        27 the system starts
    "#]].assert_eq(&log);
}

/// CSET-17: where the client may not restart the system, users are told to do so, and do.
#[tokio::test]
async fn where_restarts_are_not_forced_users_are_told_and_restart() {
    let (mut scene, deployment) = Scene::wanting_restart(0).await;
    scene.publish(vec![deployment], &[("restart.force", "no")]).await;
    scene.wait(5 * HOUR_MS).await;
    scene.ask(Request::Reboot { defer_minutes: None }).await;
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed that need a restart of this computer.
        240 users are told: Updates were installed that need a restart of this computer.
        300 alice asks for a restart
        300 the system restarts
        302 the system starts
    "#]]
    .assert_eq(&scene.take_acts());
}

/// CSET-17: on a server only where the setting lets users without rights.
#[tokio::test]
async fn users_without_rights_restart_a_server_where_the_setting_lets_them() {
    let (mut scene, deployment) = Scene::wanting_restart(0).await;
    scene.computer.lock().form = model::Form::Server;
    scene.publish(vec![deployment.clone()], &[]).await;
    scene.ask(Request::Reboot { defer_minutes: None }).await;
    scene.publish(vec![deployment], &[("restart.low_rights_servers", "yes")]).await;
    scene.ask(Request::Reboot { defer_minutes: None }).await;
    expect![[r#"
        0 the installer of 1 runs
        0 users are told: Updates were installed. This computer restarts in 90 minutes; save your work.
        0 alice asks for a restart: policy does not let users without rights restart a server
        0 alice asks for a restart
        0 the system restarts
        2 the system starts
    "#]].assert_eq(&scene.take_acts());
}

/// CSET-18: where everything is hidden, nobody is told, and the restart comes all the same.
#[tokio::test]
async fn of_a_hidden_deployment_nobody_is_told() {
    let (mut scene, mut deployment) = Scene::wanting_restart(0).await;
    deployment.experience.notify = model::Notify::Hidden;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(2 * HOUR_MS).await;
    expect![[r#"
        0 the installer of 1 runs
        90 the system restarts
        92 the system starts
    "#]]
    .assert_eq(&scene.take_acts());
}

/// INT-09: what was missed while the computer was off begins some minutes after its start.
#[tokio::test]
async fn what_was_missed_begins_some_minutes_after_the_start() {
    let mut log = String::new();
    for options in [&[][..], &[("missed.delay", "20")]] {
        let mut scene = Scene::new(&[1]).await;
        let deployment = scene.required(&[1], HOUR_MS);
        scene.publish(vec![deployment], options).await;
        scene.switch_off(5 * HOUR_MS).await;
        scene.wait(HOUR_MS).await;
        log += &scene.take_acts();
    }
    expect![[r#"
        0 the system is switched off
        300 the system starts
        305 the installer of 1 runs
        0 the system is switched off
        300 the system starts
        320 the installer of 1 runs
    "#]]
    .assert_eq(&log);
}

/// MW-05: installed outside of the window by its option, it waits for the window with its restart,
/// unless that may come at any time, too.
#[tokio::test]
async fn a_restart_waits_for_the_window_unless_the_deployment_says_otherwise() {
    let mut log = String::new();
    for is_free in [false, true] {
        let (mut scene, mut deployment) = Scene::wanting_restart(HOUR_MS).await;
        scene.computer.lock().has_users = false;
        scene.world.windows = vec![window("0 20 * * *")];
        deployment.experience.install_outside_window = true;
        deployment.experience.restart_outside_window = is_free;
        scene.publish(vec![deployment], &[]).await;
        scene.wait(DAY_MS).await;
        log += &scene.take_acts();
    }
    expect![[r#"
        60 the installer of 1 runs
        600 the system restarts
        602 the system starts
        60 the installer of 1 runs
        60 the system restarts
        62 the system starts
    "#]]
    .assert_eq(&log);
}
