//! Where each operation lives: path, namespace and SOAPAction (MS-WSUSSS 2.1 and 2.2).

/// The operations a complete synchronization needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    GetAuthConfig,
    GetAuthorizationCookie,
    GetCookie,
    GetConfigData,
    GetRevisionIdList,
    GetUpdateData,
}

impl Operation {
    pub const ALL: [Operation; 6] = [
        Operation::GetAuthConfig,
        Operation::GetAuthorizationCookie,
        Operation::GetCookie,
        Operation::GetConfigData,
        Operation::GetRevisionIdList,
        Operation::GetUpdateData,
    ];

    /// The operation a request asks for, if path and SOAPAction belong to one.
    #[must_use]
    pub fn find(path: &str, soap_action: &str) -> Option<Operation> {
        let path = normalize_path(path);
        let action = soap_action.trim().trim_matches('"');
        Operation::ALL.into_iter().find(|operation| {
            path.eq_ignore_ascii_case(operation.path())
                && action.eq_ignore_ascii_case(operation.soap_action().trim_matches('"'))
        })
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Operation::GetAuthConfig => "GetAuthConfig",
            Operation::GetAuthorizationCookie => "GetAuthorizationCookie",
            Operation::GetCookie => "GetCookie",
            Operation::GetConfigData => "GetConfigData",
            Operation::GetRevisionIdList => "GetRevisionIdList",
            Operation::GetUpdateData => "GetUpdateData",
        }
    }

    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Operation::GetAuthorizationCookie => "/DssAuthWebService/DssAuthWebService.asmx",
            _ => "/ServerSyncWebService/ServerSyncWebService.asmx",
        }
    }

    #[must_use]
    pub fn namespace(self) -> &'static str {
        match self {
            Operation::GetAuthorizationCookie => {
                "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService"
            }
            _ => "http://www.microsoft.com/SoftwareDistribution",
        }
    }

    /// The value of the SOAPAction header, in its quotes.
    #[must_use]
    pub fn soap_action(self) -> String {
        format!("\"{}/{}\"", self.namespace(), self.name())
    }
}

/// The form in which paths are compared: lower case and without repeated slashes, which come of
/// joining a base address and a relative service address.
#[must_use]
pub fn normalize_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !normal.ends_with('/') {
            normal.push(c.to_ascii_lowercase());
        }
    }
    normal
}
