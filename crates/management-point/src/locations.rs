//! What the site said last of files, for when it is away: to each address, and to anybody.
//!
//! Owns how much is remembered: what came first goes first. Refuses to know boundaries.

use std::collections::{BTreeMap, VecDeque};

use rpc::pb::management::FileLocations;

use crate::limits::{FILES_REMEMBERED, LOCATIONS_MAX};

#[derive(Debug, Default)]
pub(crate) struct Locations {
    /// By digest and the asker's address.
    exact: Lately<(Vec<u8>, Vec<u8>)>,
    /// By digest, whoever asked.
    any: Lately<Vec<u8>>,
}

/// Answers in the order in which they first came.
#[derive(Debug)]
struct Lately<K> {
    said: BTreeMap<K, FileLocations>,
    order: VecDeque<K>,
}

impl<K> Default for Lately<K> {
    fn default() -> Lately<K> {
        Lately { said: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Ord> Lately<K> {
    fn note(&mut self, key: K, said: FileLocations, count_max: usize) {
        if self.said.insert(key.clone(), said).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > count_max {
            self.order.pop_front().and_then(|oldest| self.said.remove(&oldest));
        }
    }
}

impl Locations {
    pub(crate) fn note(&mut self, address: &[u8], files: &[FileLocations]) {
        for file in files {
            let key = (file.sha256.clone(), address.to_vec());
            self.exact.note(key, file.clone(), LOCATIONS_MAX);
            self.any.note(file.sha256.clone(), file.clone(), FILES_REMEMBERED);
        }
    }

    /// What was said to that address or, of a file that nobody there has asked for of late, to any.
    pub(crate) fn said(&self, address: &[u8], sha256: Vec<u8>) -> Option<FileLocations> {
        let key = (sha256, address.to_vec());
        let exact = self.exact.said.get(&key);
        exact.or_else(|| self.any.said.get(&key.0)).cloned()
    }
}

#[cfg(test)]
mod tests;
