use model::UpdateId;
use uuid::Uuid;

use super::*;
use crate::control::{Cycle, Text};

fn caller(name: &str, standing: Standing) -> Caller {
    Caller { uid: 1000, name: name.to_owned(), standing }
}

/// Who of an administrator, a primary user, another one and a service may.
fn allowed(install_by: Installers, request: &Request) -> [bool; 4] {
    let primary_users = ["pia".to_owned()];
    let rights = Rights { install_by, primary_users: &primary_users };
    let callers = [
        caller("root", Standing::Administrator),
        caller("pia", Standing::User),
        caller("otto", Standing::User),
        caller("www-data", Standing::Absent),
    ];
    callers.map(|caller| rights.check(request, &caller).is_ok())
}

#[test]
fn the_setting_decides_who_may_start_installations() {
    let install = Request::Install { updates: Vec::new() };
    for (install_by, expected) in [
        (Installers::All, [true, true, true, false]),
        (Installers::Administrators, [true, false, false, false]),
        (Installers::AdministratorsAndPrimary, [true, true, false, false]),
        (Installers::Nobody, [false, false, false, false]),
    ] {
        for request in [
            &install,
            &Request::Scan { cycle: Cycle::Evaluation },
            &Request::Reboot { defer_minutes: Some(30) },
        ] {
            assert_eq!(allowed(install_by, request), expected, "{install_by:?} {request:?}");
        }
    }
}

#[test]
fn everybody_may_look_and_only_administrators_change_what_others_would_miss() {
    let update = Text(UpdateId(Uuid::from_u128(1)));
    for request in [
        Request::Status,
        Request::History { limit: 1 },
        Request::Updates,
        Request::CacheList,
        Request::RebootStatus,
        Request::Policy,
        Request::Explain { update },
    ] {
        assert_eq!(allowed(Installers::Nobody, &request), [true; 4], "{request:?}");
    }
    for request in
        [Request::Hide { update }, Request::Show { update }, Request::CacheClean, Request::Reset]
    {
        assert_eq!(allowed(Installers::All, &request), [true, false, false, false], "{request:?}");
    }
}
