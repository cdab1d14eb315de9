//! `tierline category`.

use clap::Subcommand;
use rpc::pb::admin as pb;

use crate::Outcome;
use crate::desk::Desk;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Companies, families, products and classifications of the catalog
    #[command(after_help = "Example:\n  tierline category list --type product")]
    List {
        #[arg(long = "type", value_parser = ["", "product", "classification", "company", "family"],
            default_value = "", hide_default_value = true, hide_possible_values = true,
            help = "product, classification, company or family")]
        kind: String,
    },
    /// Synchronizes updates of these products and classifications; at the top-level site
    #[command(after_help = "Example:\n  tierline category subscribe Office Updates")]
    Subscribe {
        /// Ids or titles
        #[arg(required = true)]
        categories: Vec<String>,
    },
    /// Does not ask for updates of these any more; what is here stays
    #[command(after_help = "Example:\n  tierline category unsubscribe Office")]
    Unsubscribe {
        /// Ids or titles
        #[arg(required = true)]
        categories: Vec<String>,
    },
}

impl Verb {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let (categories, subscribed) = match self {
            Verb::List { kind } => {
                let request = pb::ListCategoriesRequest { r#type: kind };
                return desk.show("ListCategories", &request).await;
            }
            Verb::Subscribe { categories } => (categories, true),
            Verb::Unsubscribe { categories } => (categories, false),
        };
        let request = pb::SetSubscriptionRequest { categories, subscribed };
        desk.show("SetSubscription", &request).await
    }
}
