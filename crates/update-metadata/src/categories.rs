//! Companies, products and classifications of our own making.
//!
//! Their ids follow from their names, so every server and every import makes the same documents;
//! classifications that everybody knows keep the id everybody knows.

use model::{CategoryKind, UpdateId, UpdateRef};
use uuid::Uuid;

use crate::{Document, Prerequisite, Rule, UpdateKind};

/// The name space of ids made from names (UUID version 5).
const NAMES: Uuid = Uuid::from_u128(0x3f0a_7c52_9d1e_4b86_a4c7_51e2_60b9_8d3f);

/// Documents made from names never change, so there is only one revision of each.
const REVISION: u32 = 1;

const CLASSIFICATIONS: [(&str, u128); 11] = [
    ("Applications", 0x5c93_76ab_8ce6_464a_b136_2211_3dd6_9801),
    ("Critical Updates", 0xe6cf_1350_c01b_414d_a61f_263d_14d1_33b4),
    ("Definition Updates", 0xe078_9628_ce08_4437_be74_2495_b842_f43b),
    ("Drivers", 0xebfc_1fc5_71a4_4f7b_9aca_3b9a_5031_04a0),
    ("Feature Packs", 0xb54e_7d24_7add_428f_8b75_90a3_96fa_584f),
    ("Security Updates", 0x0fa1_201d_4330_4fa8_8ae9_b877_473b_6441),
    ("Service Packs", 0x68c5_b0a3_d1a6_4553_ae49_01d3_a782_7828),
    ("Tools", 0xb483_2bd8_e735_4761_8daf_37f8_8227_6dab),
    ("Update Rollups", 0x28bc_880e_0592_4cbf_8f95_c79b_1791_1d5f),
    ("Updates", 0xcd5f_fd1e_e932_4e3a_bf74_18bf_0b1b_bd83),
    ("Upgrades", 0x3689_bdc8_b205_4af4_8d4a_a639_24c5_e9d5),
];

#[must_use]
pub fn company(name: &str) -> Document {
    category(named("company", &[name]), CategoryKind::Company, name)
}

/// A product of a company; its id depends on both names.
#[must_use]
pub fn product(company_name: &str, name: &str) -> Document {
    let parent =
        Prerequisite { any_of: vec![named("company", &[company_name])], is_category: true };
    let mut product =
        category(named("product", &[company_name, name]), CategoryKind::Product, name);
    product.relations.prerequisites.push(parent);
    product
}

#[must_use]
pub fn classification(name: &str) -> Document {
    let known = CLASSIFICATIONS.iter().find(|(known, _)| *known == name);
    let id = known
        .map_or_else(|| named("classification", &[name]), |(_, id)| UpdateId(Uuid::from_u128(*id)));
    category(id, CategoryKind::Classification, name)
}

/// Ids made from names, with a separator no name contains.
pub(crate) fn named(kind: &str, names: &[&str]) -> UpdateId {
    let text = format!("{kind}\n{}", names.join("\n"));
    UpdateId(Uuid::new_v5(&NAMES, text.as_bytes()))
}

fn category(id: UpdateId, kind: CategoryKind, name: &str) -> Document {
    let update = UpdateRef { id, revision: REVISION };
    let mut document = Document::new(update, UpdateKind::Category, name);
    document.category = Some(kind);
    // Belonging to a category is a prerequisite, which must hold on every computer.
    document.rules.is_installed = Some(Rule::True);
    document
}
