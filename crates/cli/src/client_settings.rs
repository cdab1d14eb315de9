//! `tierline client-settings`: what clients are told besides their deployments.

use clap::{Args, Subcommand};
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum ClientSettings {
    /// Every setting, what it takes, and its default
    #[command(after_help = "Example:\n  tierline client-settings options")]
    Options,
    /// The defaults and the profiles, in the order in which they win
    #[command(after_help = "Example:\n  tierline client-settings list")]
    List,
    /// One profile and what it says
    #[command(after_help = "Example:\n  tierline client-settings show SMS00005")]
    Show { code: String },
    /// Makes a profile, which reaches nobody before it is deployed
    #[command(after_help = "Example:\n  tierline client-settings create Servers --order 10 \
        --set restart.delay=120 --set metered=limit")]
    Create {
        name: String,
        /// 1 to 9999; where several profiles name one setting, the lowest wins [default: the last]
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        order: u32,
        /// A setting; may be given several times
        #[arg(long, value_name = "NAME=VALUE", value_parser = value)]
        set: Vec<pb::SettingValue>,
    },
    /// Changes what a profile says; SMS00005 are the defaults, changed at the top-level site
    #[command(after_help = "Example:\n  \
        tierline client-settings set PR100001 grace.hours=24 --reset metered")]
    Set {
        code: String,
        #[arg(value_name = "NAME=VALUE", value_parser = value)]
        set: Vec<pb::SettingValue>,
        #[command(flatten)]
        changes: Changes,
    },
    /// Lets a profile reach the members of collections
    #[command(after_help = "Example:\n  \
        tierline client-settings deploy PR100001 --to PR100002 --not-to PR100003")]
    Deploy {
        code: String,
        /// A collection it shall reach; may be given several times
        #[arg(long = "to", value_name = "COLLECTION")]
        add: Vec<String>,
        /// A collection it shall reach no more; may be given several times
        #[arg(long = "not-to", value_name = "COLLECTION")]
        remove: Vec<String>,
    },
    /// Deletes a profile; its clients fall back on the other ones and the defaults
    #[command(after_help = "Example:\n  tierline client-settings delete PR100001")]
    Delete { code: String },
    /// What holds for a computer, which profile says so, and when it turns to which update point
    #[command(after_help = "Example:\n  \
        tierline client-settings resultant 01939c3e-7f00-7000-8000-000000000001")]
    Resultant { client: String },
}

/// What is not given stays.
#[derive(Args, Debug)]
pub(crate) struct Changes {
    /// A setting the profile shall not name any more; may be given several times
    #[arg(long, value_name = "NAME")]
    reset: Vec<String>,
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    order: u32,
}

impl ClientSettings {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            ClientSettings::Options => desk.show(pb::ListSettingsRequest {}).await,
            ClientSettings::List => desk.show(pb::ListSettingsProfilesRequest {}).await,
            ClientSettings::Show { code } => {
                desk.show(pb::GetSettingsProfileRequest { code }).await
            }
            ClientSettings::Create { name, order, set: values } => {
                desk.show(pb::CreateSettingsProfileRequest { name, order, values }).await
            }
            ClientSettings::Set { code, set, changes: Changes { reset, name, order } } => {
                desk.show(pb::SetSettingsRequest { code, set, reset, name, order }).await
            }
            ClientSettings::Deploy { code, add, remove } => {
                desk.show(pb::DeploySettingsProfileRequest { code, add, remove }).await
            }
            ClientSettings::Delete { code } => {
                desk.show(pb::DeleteSettingsProfileRequest { code }).await
            }
            ClientSettings::Resultant { client } => {
                desk.show(pb::GetResultantSettingsRequest { client }).await
            }
        }
    }
}

/// `metered=limit`.
fn value(text: &str) -> Result<pb::SettingValue, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is no setting with a value, such as metered=limit"))?;
    Ok(pb::SettingValue { name: name.trim().to_owned(), value: value.trim().to_owned() })
}
