//! Conditions to rows. Of several that must hold, the cheap ones come first, and texts are only
//! looked at where everything else holds.

use compliance::Mark;
use model::{ObjectCode, UpdateId};
use query::{Condition, Query, Relation, Value, is_like};
use roaring::RoaringBitmap;

use super::vocabulary::{
    DEPLOYED, DESCRIPTION, FLAGS, ID, INSTALLED, LISTS, RELEASED, REQUIRED, SIZE, TITLE,
};
use super::{Surroundings, Texts, UpdateIndex};

impl UpdateIndex {
    /// The updates that a query means, ascending. None: it asks for counts that nobody has yet.
    #[must_use]
    pub fn select(&self, query: &Query, around: &Surroundings<'_>) -> Option<Vec<UpdateId>> {
        let counts = [REQUIRED, INSTALLED].into_iter().any(|name| query.asks_for(name));
        if counts && around.board.is_none() {
            return None;
        }
        let mut all = RoaringBitmap::new();
        all.insert_range(0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        let found = Selection { index: self, around }.of(query.condition(), &all);
        Some(found.iter().map(|row| self.rows[row as usize].0).collect())
    }

    /// How many clients require an update, and how many have it.
    #[must_use]
    pub fn counts(&self, id: UpdateId, around: &Surroundings<'_>) -> Option<(u64, u64)> {
        let (board, row) = (around.board?, self.number(id)?);
        let item = self.rows[row as usize].1;
        let count = |mark| board.marked_count(item, mark);
        Some((count(Mark::Required), count(Mark::Installed)))
    }
}

struct Selection<'a> {
    index: &'a UpdateIndex,
    around: &'a Surroundings<'a>,
}

impl Selection<'_> {
    /// Those of `among` of which a condition holds.
    fn of(&self, condition: &Condition, among: &RoaringBitmap) -> RoaringBitmap {
        match condition {
            Condition::All(parts) => {
                let mut parts: Vec<&Condition> = parts.iter().collect();
                parts.sort_by_key(|part| cost(part));
                parts.into_iter().fold(among.clone(), |left, part| self.of(part, &left))
            }
            Condition::Any(parts) => {
                let mut left = among.clone();
                for part in parts {
                    left -= self.of(part, &left);
                }
                among - left
            }
            Condition::Not(part) => among - self.of(part, among),
            Condition::Compare { field, relation, value } => {
                self.compared(field, *relation, value, among)
            }
            Condition::Like { field, parts } => self.like(field, parts, among),
            Condition::Flag(name) => self.flagged(name) & among,
            Condition::Test { argument, .. } => {
                let group = ObjectCode::new(argument).ok();
                let group = group.and_then(|code| self.around.groups.get(&code));
                self.index.numbers(group.iter().flat_map(|group| &group.updates)) & among
            }
        }
    }

    fn flagged(&self, name: &str) -> RoaringBitmap {
        if name == DEPLOYED {
            return self.index.numbers(self.around.deployed);
        }
        let place = FLAGS.iter().position(|flag| *flag == name);
        place.map_or_else(RoaringBitmap::new, |place| self.index.flags[place].clone())
    }

    fn compared(
        &self,
        field: &str,
        relation: Relation,
        value: &Value,
        among: &RoaringBitmap,
    ) -> RoaringBitmap {
        match value {
            Value::Time(_) | Value::Ago(_) => {
                let wanted = value.moment(self.around.now).expect("a time is a moment");
                let released = &self.index.released;
                rows(among, |row| relation.holds(released[row as usize].cmp(&wanted)))
            }
            Value::Number(wanted) => {
                rows(among, |row| relation.holds(self.number_of(field, row).cmp(wanted)))
            }
            Value::Text(text) => {
                let equal = self.equal(field, text, among);
                if relation == Relation::Different { among - equal } else { equal }
            }
            // The vocabulary has no fields of these types.
            Value::Version(_) | Value::Network(..) => RoaringBitmap::new(),
        }
    }

    fn number_of(&self, field: &str, row: u32) -> i64 {
        let counted = |mark| {
            let item = self.index.rows[row as usize].1;
            self.around.board.map_or(0, |board| board.marked_count(item, mark))
        };
        let number = match field {
            SIZE => self.index.size_kb[row as usize],
            REQUIRED => counted(Mark::Required),
            _ => counted(Mark::Installed),
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    fn equal(&self, field: &str, text: &str, among: &RoaringBitmap) -> RoaringBitmap {
        if field == ID {
            let id: Option<UpdateId> = text.parse().ok();
            return self.index.numbers(id.iter()) & among;
        }
        match self.column(field) {
            Column::Words(words) => words.get(text).map_or_else(RoaringBitmap::new, |r| r & among),
            Column::Texts(texts) => rows(among, |row| texts.get(row) == text),
        }
    }

    fn like(&self, field: &str, parts: &[String], among: &RoaringBitmap) -> RoaringBitmap {
        if field == ID {
            let text = |row: u32| self.index.rows[row as usize].0.to_string();
            return rows(among, |row| is_like(&text(row), parts));
        }
        match self.column(field) {
            Column::Words(words) => {
                let like = words.iter().filter(|(word, _)| is_like(word, parts));
                like.fold(RoaringBitmap::new(), |all, (_, rows)| all | (rows & among))
            }
            Column::Texts(texts) => rows(among, |row| is_like(texts.get(row), parts)),
        }
    }

    fn column(&self, field: &str) -> Column<'_> {
        match field {
            TITLE => Column::Texts(&self.index.titles),
            DESCRIPTION => Column::Texts(&self.index.descriptions),
            _ => {
                let place = LISTS.iter().position(|list| *list == field);
                Column::Words(&self.index.lists[place.expect("the vocabulary has no other texts")])
            }
        }
    }
}

enum Column<'a> {
    Words(&'a std::collections::BTreeMap<String, RoaringBitmap>),
    Texts(&'a Texts),
}

fn rows(among: &RoaringBitmap, holds: impl Fn(u32) -> bool) -> RoaringBitmap {
    among.iter().filter(|row| holds(*row)).collect()
}

/// How much a condition costs per row that it is asked about.
fn cost(condition: &Condition) -> u32 {
    match condition {
        Condition::Any(parts) | Condition::All(parts) => {
            parts.iter().map(cost).fold(0, u32::saturating_add)
        }
        Condition::Not(part) => cost(part),
        Condition::Flag(_) | Condition::Test { .. } => 1,
        Condition::Compare { field, .. } | Condition::Like { field, .. } => match *field {
            RELEASED | SIZE => 100,
            REQUIRED | INSTALLED => 200,
            TITLE | ID => 1_000,
            DESCRIPTION => 10_000,
            _ => 1,
        },
    }
}
