//! The Core fragments of a version, kept in memory, since every computer that scans for the first
//! time gets nearly all of them.
//!
//! Owns how many are kept: those that were asked for first, until there is no more room. What is
//! not kept is read from the database each time. Texts of one revision never change, so nothing
//! here has to be taken back; all of it goes with the graph of its version.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::catalog::Catalog;
use crate::{Derive, Error, ScanGraph, Scope, limits};

#[derive(Debug, Default)]
pub(crate) struct Cores(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    texts: BTreeMap<i64, Arc<str>>,
    bytes: usize,
}

impl Cores {
    /// The texts that are kept, until they exceed `bytes_max` together.
    fn find(&self, local_ids: &[i64], bytes_max: usize) -> Vec<Option<Arc<str>>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (mut found, mut bytes) = (Vec::with_capacity(local_ids.len()), 0);
        for id in local_ids {
            if bytes > bytes_max {
                break;
            }
            let text = kept.texts.get(id).cloned();
            bytes += text.as_ref().map_or(0, |text| text.len());
            found.push(text);
        }
        found
    }

    fn keep(&self, local_id: i64, text: &Arc<str>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + text.len() <= limits::CORES_BYTES_MAX
            && kept.texts.insert(local_id, text.clone()).is_none()
        {
            kept.bytes += text.len();
        }
    }
}

impl Catalog {
    /// The Core fragments of these revisions of a graph in this order, until they exceed
    /// `bytes_max`; at least that of the first. One is empty where there is none.
    pub async fn cores(
        &self,
        graph: &ScanGraph,
        local_ids: &[i64],
        bytes_max: usize,
        derive: Derive,
    ) -> Result<Vec<Arc<str>>, Error> {
        let mut found = graph.cores.find(local_ids, bytes_max);
        let missing = |(id, text): (&i64, &Option<Arc<str>>)| text.is_none().then_some(*id);
        let missing: Vec<i64> = local_ids.iter().zip(&found).filter_map(missing).collect();
        if !missing.is_empty() {
            let read = self.fragments(missing, Scope::Scan, bytes_max, derive).await?;
            let mut read = read.into_iter().map(|revision| {
                let text = revision.fragments.into_iter().next().map(|fragment| fragment.text);
                let text = Arc::from(text.unwrap_or_default());
                graph.cores.keep(revision.local_id, &text);
                text
            });
            found.iter_mut().filter(|text| text.is_none()).for_each(|text| *text = read.next());
        }
        let (mut texts, mut bytes) = (Vec::with_capacity(found.len()), 0);
        // Where one is still missing, what was read together was large enough.
        for text in found.into_iter().map_while(|text| text) {
            if bytes > bytes_max {
                break;
            }
            bytes += text.len();
            texts.push(text);
        }
        Ok(texts)
    }
}
