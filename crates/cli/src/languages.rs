//! `tierline sync languages`: in which texts are kept, and for which files are fetched.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Languages {
    #[command(after_help = "Example:\n  tierline sync languages show")]
    Show,
    /// Chooses them; "all" takes a choice back
    #[command(after_help = "Example:\n  tierline sync languages set --summary en,de --files de")]
    Set {
        /// In which titles and descriptions are kept and offered; at the top-level site. English
        /// always is
        #[arg(long, value_delimiter = ',', value_name = "TAGS", required_unless_present = "files")]
        summary: Option<Vec<String>>,
        /// For which the update points of the server's site fetch files
        #[arg(long, value_delimiter = ',', value_name = "TAGS")]
        files: Option<Vec<String>>,
        /// The update point that --files is for [default: all of the site]
        #[arg(
            long,
            requires = "files",
            value_name = "NAME",
            default_value = "",
            hide_default_value = true
        )]
        update_point: String,
    },
}

impl Languages {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        match self {
            Languages::Show => desk.show(pb::GetSyncLanguagesRequest {}).await,
            Languages::Set { summary, files, update_point } => {
                let (summary, files) = (summary.map(choice), files.map(choice));
                desk.show(pb::SetSyncLanguagesRequest { summary, files, update_point }).await
            }
        }
    }
}

fn choice(mut languages: Vec<String>) -> pb::LanguageChoice {
    languages.retain(|tag| tag != "all");
    pb::LanguageChoice { languages }
}
