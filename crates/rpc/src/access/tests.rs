use prost::Message as _;

use super::*;

#[test]
fn every_method_has_a_row() {
    let set = prost_types::FileDescriptorSet::decode(crate::DESCRIPTORS).expect("built by us");
    let mut methods = 0;
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                assert!(callers(&path).is_some(), "{path} has no row");
                methods += 1;
            }
        }
    }
    assert!(methods > 20, "the descriptor set holds {methods} methods");
}

#[test]
fn what_has_no_row_admits_nobody() {
    assert!(!admits("/tierline.admin.v2.AdminService/X", Some(PeerKind::Administrator)));
    assert!(!admits("/tierline.admin.v1.AdminService/GetSiteStatus", None));
    assert!(!admits("/tierline.admin.v1.AdminService/GetSiteStatus", Some(PeerKind::Client)));
    assert!(admits("/tierline.enrolment.v1.EnrolmentService/Enrol", None));
}
