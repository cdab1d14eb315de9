//! When updates are installed by client settings and in maintenance windows (INT-05 … INT-07,
//! CSET-05, CSET-09 … CSET-15, MW-03 … MW-06).

use super::*;

/// INT-06: without a deadline, at the scheduled time of the scheduled day.
#[tokio::test]
async fn without_a_deadline_updates_are_installed_at_the_scheduled_time() {
    let mut log = String::new();
    let sunday = [("install.day", "sunday"), ("install.at", "04:30")];
    for options in [&[][..], &sunday] {
        let mut scene = Scene::new(&[1]).await;
        let deployment = Assignment { deadline: None, ..scene.required(&[1], 0) };
        scene.publish(vec![deployment], options).await;
        scene.wait(3 * DAY_MS).await;
        log += &scene.take_lines(&["DP", "installer"]);
    }
    expect![[r#"
        0 DP1 is asked for 1.sh
        1020 the installer of 1 runs
        0 DP1 is asked for 1.sh
        2550 the installer of 1 runs
    "#]]
    .assert_eq(&log);
}

/// INT-06: where users are asked, nothing begins without them.
#[tokio::test]
async fn where_policy_prompts_a_user_starts_the_installation() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = Assignment { deadline: None, ..scene.required(&[1], 0) };
    scene.publish(vec![deployment], &[("install.mode", "prompt")]).await;
    scene.wait(3 * DAY_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        0 DP1 is asked for 1.sh
        4320 alice asks for an installation
        4320 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "installer", "alice"]));
}

/// INT-07: what interrupts nothing is installed right after its download, unless the setting says
/// otherwise; the rest follows the schedule.
#[tokio::test]
async fn what_interrupts_nothing_is_installed_right_after_its_download() {
    let mut quiet = update(1);
    let never = update_metadata::authoring::installation("NeverReboots");
    quiet.properties.installation = Some(never);
    let mut log = String::new();
    for options in [&[][..], &[("install.immediate", "no")]] {
        let mut scene = Scene::of(1, vec![quiet.clone(), update(2)]).await;
        let deployment = Assignment { deadline: None, ..scene.required(&[1, 2], 0) };
        scene.publish(vec![deployment], options).await;
        scene.wait(DAY_MS).await;
        log += &scene.take_lines(&["DP", "installer"]);
    }
    expect![[r#"
        0 DP1 is asked for 1.sh
        0 DP1 is asked for 2.sh
        0 the installer of 1 runs
        1020 the installer of 2 runs
        0 DP1 is asked for 1.sh
        0 DP1 is asked for 2.sh
        1020 the installer of 1 runs
        1020 the installer of 2 runs
    "#]]
    .assert_eq(&log);
}

/// CSET-05: with the first deadline come all others within the period, where the setting is on.
#[tokio::test]
async fn with_one_deadline_come_all_within_the_period() {
    let mut log = String::new();
    let two_days = [("deadline.gather", "yes"), ("deadline.gather_period", "2d")];
    for options in [&[][..], &two_days] {
        let mut scene = Scene::new(&[1, 2, 3]).await;
        let deployments = vec![
            scene.required(&[1], HOUR_MS),
            scene.required(&[2], DAY_MS),
            scene.required(&[3], 3 * DAY_MS),
        ];
        scene.publish(deployments, options).await;
        scene.wait(4 * DAY_MS).await;
        log += &scene.take_lines(&["installer"]);
    }
    expect![[r#"
        60 the installer of 1 runs
        1440 the installer of 2 runs
        4320 the installer of 3 runs
        60 the installer of 1 runs
        60 the installer of 2 runs
        1440 the installer of 3 runs
    "#]]
    .assert_eq(&log);
}

/// CSET-09, CSET-10: where policy spreads a deadline, each client acts at its own moment within
/// two hours of it; the deadline itself stays.
#[tokio::test]
async fn a_spread_deadline_is_kept_at_a_moment_of_the_client_s_own() {
    let mut log = String::new();
    for number in [0xc, 0xd, 0xe] {
        for spread_minutes in [0, 120] {
            let mut scene = Scene::new(&[1]).await;
            scene.world.site.client = model::ClientId(uuid::Uuid::from_u128(number));
            let deployment = Assignment { spread_minutes, ..scene.required(&[1], HOUR_MS) };
            scene.publish(vec![deployment], &[]).await;
            scene.wait(4 * HOUR_MS).await;
            log += &scene.take_lines(&["installer"]);
        }
    }
    expect![[r#"
        60 the installer of 1 runs
        110 the installer of 1 runs
        60 the installer of 1 runs
        163 the installer of 1 runs
        60 the installer of 1 runs
        91 the installer of 1 runs
    "#]]
    .assert_eq(&log);
}

/// CSET-11: only a deployment that lets users delay has the grace period of the settings.
#[tokio::test]
async fn a_grace_period_follows_the_deadline_of_a_deployment_that_lets_it() {
    let mut scene = Scene::new(&[1, 2]).await;
    let (hard, mut soft) = (scene.required(&[1], HOUR_MS), scene.required(&[2], HOUR_MS));
    soft.experience.soft_deadline = true;
    scene.publish(vec![hard, soft], &[("grace.hours", "5")]).await;
    scene.wait(8 * HOUR_MS).await;
    expect![[r#"
        60 the installer of 1 runs
        360 the installer of 2 runs
    "#]]
    .assert_eq(&scene.take_lines(&["installer"]));
}

/// CSET-13: a user may not start installations where policy keeps that to administrators.
#[tokio::test]
async fn policy_says_which_users_may_install() {
    let mut scene = Scene::new(&[1]).await;
    let offered = scene.available(&[1]);
    for by in ["nobody", "administrators", "all"] {
        scene.publish(vec![offered.clone()], &[("install.by", by)]).await;
        scene.ask_to_install(1).await;
    }
    expect![[r#"
        0 alice asks for an installation: policy lets nobody start anything here
        0 alice asks for an installation: alice may not do this here; policy lets administrators alone
        0 alice asks for an installation
        0 the installer of 1 runs
    "#]].assert_eq(&scene.take_acts());
}

/// CSET-15: the client fetches and tells, and other software starts the installation.
#[tokio::test]
async fn other_software_decides_when_updates_are_installed() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[("external_orchestrator", "yes")]).await;
    scene.wait(9 * HOUR_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        0 policy 1 is asked for
        0 SUP1 is asked for documents
        0 scan: new policy, with SUP1
        0 report: deployment d unknown
        0 the MP is asked where 1.sh is
        0 DP1 is asked for 1.sh
        0 report: 1 required/downloading; deployment d non_compliant/downloading
        0 report: 1 required/pending_installation; deployment d non_compliant/waiting_for_orchestration
        540 alice asks for an installation
        540 report: 1 required/installing; deployment d non_compliant/installing
        540 scan: before installation
        540 report: no news
        540 the installer of 1 runs
        540 report: 1 installed; deployment d compliant/installed
        540 scan: after installation
    "#]].assert_eq(&scene.take_log());
}

/// MW-03, MW-06: fetched at once; what does not fit into what is left of the window waits for the
/// next one, and what has begun goes on beyond its end.
#[tokio::test]
async fn what_does_not_fit_waits_for_the_next_window_and_what_has_begun_goes_on() {
    let mut scene = Scene::new(&[1, 2]).await;
    scene.world.windows = vec![window("0 20 * * *")];
    scene.computer.end(1, Ending { code: 0, minutes: 150 });
    let mut deployment = scene.required(&[1, 2], HOUR_MS);
    deployment.updates[1].max_run_minutes = 90;
    scene.publish(vec![deployment], &[]).await;
    scene.wait(2 * DAY_MS).await;
    expect![[r#"
        0 DP1 is asked for 1.sh
        0 DP1 is asked for 2.sh
        600 the installer of 1 runs
        750 the installer of 1 ends
        2040 the installer of 2 runs
    "#]]
    .assert_eq(&scene.take_lines(&["DP", "installer"]));
}

/// MW-04: the smallest maximum run time first, and before each it is looked at what is left.
#[tokio::test]
async fn what_takes_least_time_is_first_and_each_looks_at_the_window_again() {
    let mut scene = Scene::new(&[1, 2, 3]).await;
    scene.world.windows = vec![window("0 20 * * *")];
    let mut deployment = scene.required(&[1, 2, 3], HOUR_MS);
    for (assigned, minutes) in deployment.updates.iter_mut().zip([70, 30, 60]) {
        assigned.max_run_minutes = minutes;
    }
    for number in [1, 2, 3] {
        scene.computer.end(number, Ending { code: 0, minutes: 28 });
    }
    scene.publish(vec![deployment], &[]).await;
    scene.wait(2 * DAY_MS).await;
    expect![[r#"
        600 the installer of 2 runs
        628 the installer of 2 ends
        628 the installer of 3 runs
        656 the installer of 3 ends
        2040 the installer of 1 runs
        2068 the installer of 1 ends
    "#]]
    .assert_eq(&scene.take_lines(&["installer"]));
}

/// MW-05: outside of the window by the option of the deployment.
#[tokio::test]
async fn a_deployment_may_be_installed_outside_of_the_window() {
    let mut scene = Scene::new(&[1, 2]).await;
    scene.world.windows = vec![window("0 20 * * *")];
    let (bound, mut free) = (scene.required(&[1], HOUR_MS), scene.required(&[2], HOUR_MS));
    free.experience.install_outside_window = true;
    scene.publish(vec![bound, free], &[]).await;
    scene.wait(DAY_MS).await;
    expect![[r#"
        60 the installer of 2 runs
        600 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["installer"]));
}

/// MW-06: what a user starts waits for no window.
#[tokio::test]
async fn what_a_user_starts_waits_for_no_window() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.windows = vec![window("0 20 * * *")];
    let deployment = scene.required(&[1], HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(2 * HOUR_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        120 alice asks for an installation
        120 the installer of 1 runs
    "#]]
    .assert_eq(&scene.take_lines(&["installer", "alice"]));
}
