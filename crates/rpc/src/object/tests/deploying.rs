//! What administrators decide of deployments survives the wire, whatever it is.

use super::*;

fn code(number: u32) -> ObjectCode {
    ObjectCode::numbered(SiteCode::new("CAS").expect("good"), number).expect("small")
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Hand),
        Just(Origin::Approval),
        (0_u32..9).prop_map(|number| Origin::Rule(code(number))),
        (0_u32..9, any::<u8>())
            .prop_map(|(number, phase)| Origin::Phase { plan: code(number), number: phase }),
    ]
}

fn experience() -> impl Strategy<Value = Experience> {
    (any::<[bool; 7]>(), prop::sample::select(Notify::ALL)).prop_map(|(flags, notify)| Experience {
        notify,
        install_outside_window: flags[0],
        restart_outside_window: flags[1],
        suppress_restart_servers: flags[2],
        suppress_restart_workstations: flags[3],
        commit_write_filter: flags[4],
        evaluate_after_restart: flags[5],
        soft_deadline: flags[6],
    })
}

fn download() -> impl Strategy<Value = Download> {
    any::<[bool; 5]>().prop_map(|flags| Download {
        neighbors: flags[0],
        default_group: flags[1],
        microsoft_update: flags[2],
        metered: flags[3],
        has_packages: flags[4],
    })
}

fn alert() -> impl Strategy<Value = Alert> {
    any::<(u8, u16)>().prop_map(|(below_percent, after_days)| Alert { below_percent, after_days })
}

fn due() -> impl Strategy<Value = Due> {
    prop_oneof![
        Just(Due::Asap),
        any::<u32>().prop_map(|minutes| Due::After { minutes }),
        any::<(u16, u16)>().prop_map(|(days, minute_of_day)| Due::At { days, minute_of_day }),
    ]
}

fn rule_deployment() -> impl Strategy<Value = RuleDeployment> {
    let options = (experience(), download(), prop::option::of(alert()));
    let words = (
        prop::sample::select(Intent::ALL),
        prop::sample::select(TimeBasis::ALL),
        prop::sample::select(DetailLevel::ALL),
    );
    (".{0,9}", due(), prop::option::of(due()), options, words, any::<[bool; 2]>()).prop_map(
        |(name, available, deadline, options, words, flags)| {
            let ((experience, download, alert), (intent, basis, detail)) = (options, words);
            RuleDeployment {
                name,
                collection: code(1),
                intent,
                available,
                deadline,
                basis,
                experience,
                download,
                alert,
                detail,
                wakes: flags[0],
                is_enabled: flags[1],
            }
        },
    )
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn ids() -> impl Strategy<Value = Vec<Uuid>> {
    prop::collection::vec(uuid(), 0..3)
}

fn assert_survives<T: ObjectBody + PartialEq + std::fmt::Debug>(value: &T) {
    assert_eq!(T::decode(&value.encode()).as_ref(), Ok(value));
}

proptest! {
    #[test]
    fn options_of_deployments(
        id in uuid(), origin in origin(), experience in experience(), download in download(),
        alert in prop::option::of(alert()), at in moment(), stopped in prop::option::of(moment()),
        days in any::<u8>(), except in prop::collection::vec(0_u32..99, 0..3),
    ) {
        let deployment = Deployment {
            description: "why".to_owned(),
            intent: Intent::Uninstall,
            effect: Effect::Report,
            basis: TimeBasis::ClientLocal,
            experience,
            download,
            alert,
            detail: DetailLevel::Errors,
            wakes: true,
            except: except.into_iter().map(code).collect(),
            rollout: Some(Rollout { from: at, days, stopped_at: stopped }),
            origin: origin.clone(),
            ..Deployment::plain(DeploymentId(id), code(1), code(2), at)
        };
        assert_survives(&deployment);
        let plain = UpdateGroup::plain(code(3), "group".to_owned(), vec![UpdateId(id)]);
        assert_survives(&UpdateGroup { description: "of what".to_owned(), origin, ..plain });
        let site = SiteCode::new("PR1").expect("good");
        let (by, reason) = ("admin".to_owned(), "it breaks".to_owned());
        let hold = Hold { deployment: DeploymentId(id), site, by, at, reason };
        prop_assert_eq!(hold.object_id().len(), 19);
        assert_survives(&hold);
    }

    #[test]
    fn rules(
        deployments in prop::collection::vec(rule_deployment(), 0..3), flags in any::<[bool; 3]>(),
        style in prop::sample::select(Style::ALL), stage in prop::sample::select(Stage::ALL),
        points in ids(), deployed in ids(), since in any::<u64>(), run in 0_u8..3,
    ) {
        assert_survives(&Rule {
            code: code(1),
            name: "rule".to_owned(),
            description: String::new(),
            style,
            filter: "expired".to_owned(),
            evaluate: match run {
                0 => Evaluate::Manual,
                1 => Evaluate::OnChange,
                _ => Evaluate::At("0 2 * * TUE#2 plus 1 days".to_owned()),
            },
            group_use: GroupUse::Refill,
            group: Some(code(5)),
            package: None,
            points: points.into_iter().map(RoleId).collect(),
            languages: vec!["en".to_owned()],
            only_without_license: flags[0],
            stage,
            splits: flags[1],
            is_enabled: flags[2],
            since,
            deployments,
            deployed: deployed.into_iter().map(DeploymentId).collect(),
        });
    }

    #[test]
    fn phased_deployments(
        template in rule_deployment(), deadline in due(), at in moment(), id in uuid(),
        percent in any::<u8>(), days in any::<u16>(), state in 0_u8..3,
    ) {
        let first = Phase {
            name: "pilot".to_owned(),
            collection: code(1),
            success: Success::Percent(percent),
            next: Next::Automatic { after_days: days },
            gradual_days: percent,
            deadline,
            started_at: Some(at),
            succeeded_at: None,
            deployment: Some(DeploymentId(id)),
        };
        let (success, next) = (Success::Count(u32::from(days)), Next::Manual);
        let second = Phase { success, next, started_at: None, deployment: None, ..first.clone() };
        assert_survives(&Phased {
            code: code(2),
            name: "phased".to_owned(),
            description: "why".to_owned(),
            group: code(3),
            phases: vec![first, second],
            state: match state {
                0 => PhasedState::Running,
                1 => PhasedState::Paused { reason: "failures".to_owned(), by: String::new() },
                _ => PhasedState::Completed,
            },
            pause_above_failed_percent: Some(percent),
            template,
            created_at: at,
        });
    }

    #[test]
    fn collections_settings_and_windows(
        id in uuid(), is_incremental in any::<bool>(), minutes in any::<u16>(),
        order in any::<u32>(), zone in prop::option::of("[A-Z][a-z]{2,8}"), text in ".{0,20}",
    ) {
        assert_survives(&Collection {
            code: code(1),
            name: "collection".to_owned(),
            comment: text.clone(),
            limiting: Some(code(2)),
            rules: vec![
                CollectionRule::Direct(ClientId(id)),
                CollectionRule::Query { name: "one".to_owned(), text: text.clone() },
                CollectionRule::Include(code(3)),
                CollectionRule::Exclude(code(4)),
            ],
            is_incremental,
            full_at: Some("0 3 * * SUN in UTC".to_owned()),
        });
        assert_survives(&SettingsProfile {
            code: code(1),
            name: text.clone(),
            order,
            collections: vec![code(2)],
            values: vec![("grace.hours".to_owned(), text.clone())],
        });
        assert_survives(&Window {
            code: code(1),
            name: text,
            collection: code(2),
            at: "0 1 * * SAT".to_owned(),
            zone: zone.map_or(WindowZone::Client, WindowZone::Named),
            minutes: u32::from(minutes),
            kind: WindowKind::Updates,
            is_enabled: is_incremental,
        });
        let severity = is_incremental.then_some(MsrcSeverity::Moderate);
        let update = UpdateId(id);
        assert_survives(&UpdateSetting { update, max_run_minutes: Some(minutes), severity });
    }
}

#[test]
fn a_window_of_an_unknown_kind_binds_and_never_opens() {
    use crate::convert::{Part, decode_part};
    use crate::pb::client as pb;
    use prost::Message as _;
    let window = |code: &str, kind: &str| pb::Window {
        code: code.to_owned(),
        at: "0 1 * * SAT".to_owned(),
        minutes: 90,
        kind: kind.to_owned(),
        ..pb::Window::default()
    };
    let windows = vec![window("PR100001", "all"), window("PR100002", "unheard of")];
    let part = pb::policy_part::Part::Windows(pb::Windows { windows });
    let part = decode_part(&pb::PolicyPart { part: Some(part) }.encode_to_vec());
    let Ok(Part::Windows(list)) = part else { panic!("{part:?}") };
    let starts: Vec<&str> = list.windows.iter().map(|window| window.at.as_str()).collect();
    assert_eq!(starts, ["0 1 * * SAT", ""]);
    assert_eq!(list.windows[1].kind, WindowKind::All);
}

#[test]
fn policy_parts() {
    use crate::convert::{Part, decode_part, encode_part};
    let windows = WindowList {
        windows: vec![AssignedWindow {
            code: code(1),
            at: "0 1 * * SAT".to_owned(),
            zone: WindowZone::Named("Europe/Berlin".to_owned()),
            minutes: 90,
            kind: WindowKind::All,
        }],
    };
    let options = ClientOptions { values: vec![("grace.hours".to_owned(), "12".to_owned())] };
    let assignment = |intent| Assignment {
        deployment: DeploymentId(Uuid::from_u128(1)),
        name: "May".to_owned(),
        intent,
        available_at: Timestamp(1),
        deadline: Some(Timestamp(2)),
        basis: TimeBasis::ClientLocal,
        experience: Experience { notify: Notify::Hidden, ..Experience::default() },
        download: Download::default(),
        detail: DetailLevel::SuccessAndErrors,
        wakes: true,
        spread_minutes: 120,
        updates: vec![AssignedUpdate {
            update: UpdateRef { id: UpdateId(Uuid::from_u128(2)), revision: 3 },
            document: Sha256([4; 32]),
            files: Vec::new(),
            max_run_minutes: 90,
        }],
    };
    let assignments = Intent::ALL.iter().map(|intent| Part::Assignment(assignment(*intent)));
    for part in assignments.chain([Part::Windows(windows), Part::Options(options)]) {
        assert_eq!(decode_part(&encode_part(&part)), Ok(part));
    }
}
