//! What was remembered and cannot be used: set aside, counted, and told.
//!
//! Owns `<data>/quarantine`: what was found there instead of what was written, as long as there is
//! room, and the list of it, which only grows in number. Refuses to know what is damaged and what
//! comes of it. A list that cannot be written is kept in this life; one that cannot be read is the
//! first thing that it names.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Ambient;
use model::SetAside;
use rpc::limits::SET_ASIDE_TEXT_BYTES_MAX;
use serde::{Deserialize, Serialize};

use crate::{Error, limits};

const LIST: &str = "list";

/// Where it is, and what is in it; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Quarantine {
    ambient: Ambient,
    directory: PathBuf,
    list: Arc<Mutex<List>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct List {
    /// Of everything that was ever set aside.
    count: u64,
    /// The newest, oldest first.
    entries: Vec<Entry>,
}

/// One occasion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Of all, with this: files are named after it.
    pub(crate) number: u64,
    pub(crate) at: i64,
    pub(crate) what: String,
    pub(crate) reason: String,
    /// The client knows, and remembers.
    is_told: bool,
}

/// What is set aside.
#[derive(Debug)]
pub(crate) enum Found {
    /// Files that go there; one that is missing is none.
    Files(Vec<PathBuf>),
    /// Parts of something that stays, by the names that they get.
    Parts(Vec<(String, Vec<u8>)>),
}

impl Found {
    /// A database with what belongs to it.
    pub(crate) fn database(path: &Path) -> Found {
        let beside = |end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Found::Files(["", "-wal", "-shm"].map(beside).to_vec())
    }

    fn count(&self) -> u64 {
        match self {
            Found::Files(_) => 1,
            Found::Parts(parts) => parts.len() as u64,
        }
    }
}

impl Quarantine {
    pub(crate) fn within(data: &Path, ambient: Ambient) -> Result<Quarantine, Error> {
        let directory = data.join("quarantine");
        let (text, failed) = match fs::read(directory.join(LIST)) {
            Ok(text) => (text, None),
            Err(error) if error.kind() == ErrorKind::NotFound => (b"{}".to_vec(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let list = serde_json::from_slice(&text).map_err(|error| error.to_string());
        let (list, damage) = match (list, failed) {
            (Ok(list), None) => (list, None),
            (Err(reason), None) | (_, Some(reason)) => (List::default(), Some(reason)),
        };
        let list = Arc::new(Mutex::new(list));
        let quarantine = Quarantine { ambient, directory, list };
        if let Some(reason) = damage {
            let parts = Found::Parts(vec![(LIST.to_owned(), text)]);
            quarantine.set_aside("the list of what was set aside", &reason, parts)?;
        }
        Ok(quarantine)
    }

    /// Takes it out of the way. Fails only if it stays in the way.
    pub(crate) fn set_aside(&self, what: &str, reason: &str, found: Found) -> Result<(), Error> {
        tracing::error!(what, reason, "what is stored is damaged or not ours, and is set aside");
        let number = {
            let mut list = self.lock();
            list.count += found.count();
            let (what, reason) = (cut(what), cut(reason));
            let (number, at) = (list.count, self.ambient.now_ms());
            list.entries.push(Entry { number, at, what, reason, is_told: false });
            let excess = list.entries.len().saturating_sub(limits::SET_ASIDE_ENTRIES_MAX);
            list.entries.drain(..excess);
            number
        };
        // Counted first: whatever happens then, it is not forgotten.
        self.save();
        self.place(number, found)?;
        if let Err(error) = self.make_room() {
            tracing::warn!(%error, "what was set aside long ago cannot be removed");
        }
        Ok(())
    }

    /// How much was set aside, and the newest of it, oldest first.
    pub(crate) fn look(&self) -> (u64, Vec<Entry>) {
        let list = self.lock();
        (list.count, list.entries.clone())
    }

    /// What the client was not told in this life, and did not remember before.
    pub(crate) fn untold(&self, after: u64) -> Vec<SetAside> {
        let list = self.lock();
        let untold = list.entries.iter().filter(|entry| !entry.is_told && entry.number > after);
        let of = |entry: &Entry| SetAside {
            what: entry.what.clone(),
            reason: entry.reason.clone(),
            count: entry.number,
        };
        untold.map(of).collect()
    }

    /// The client remembers everything up to this.
    pub(crate) fn told(&self, last: u64) {
        let news = |entry: &&mut Entry| !entry.is_told && entry.number <= last;
        let told = |entry: &mut Entry| entry.is_told = true;
        let count = self.lock().entries.iter_mut().filter(news).map(told).count();
        if count > 0 {
            self.save();
        }
    }

    fn place(&self, number: u64, found: Found) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Files { operation: "set aside", path, source }
        };
        match found {
            Found::Files(files) => {
                for file in files {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let place = self.directory.join(format!("{number}-{name}"));
                    match self.make().and_then(|()| fs::rename(&file, place)) {
                        Err(error) if error.kind() == ErrorKind::NotFound => {}
                        moved => moved.map_err(failed(&file))?,
                    }
                }
            }
            // They are only for whoever looks for the reason.
            Found::Parts(parts) => {
                for (name, bytes) in parts {
                    let write =
                        || fs::write(self.directory.join(format!("{number}-{name}")), bytes);
                    if let Err(error) = self.make().and_then(|()| write()) {
                        tracing::warn!(%error, name, "a damaged part cannot be kept");
                    }
                }
            }
        }
        Ok(())
    }

    /// The oldest go.
    fn make_room(&self) -> io::Result<()> {
        let mut held = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.split_once('-').and_then(|(number, _)| number.parse::<u64>().ok());
            if let Some(number) = number {
                held.push((number, entry.path(), entry.metadata()?.len()));
            }
        }
        held.sort();
        let (mut count, mut bytes) = (held.len(), held.iter().map(|(.., size)| size).sum::<u64>());
        for (_, path, size) in held {
            if count <= limits::SET_ASIDE_FILES_MAX && bytes <= limits::SET_ASIDE_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            (count, bytes) = (count - 1, bytes - size);
        }
        Ok(())
    }

    fn save(&self) {
        let text = serde_json::to_vec(&*self.lock()).unwrap_or_default();
        let (path, beside) = (self.directory.join(LIST), self.directory.join(".list.new"));
        let write = || {
            self.make()?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        if let Err(error) = write() {
            let path = path.display();
            tracing::warn!(%error, %path, "what was set aside is not written down");
        }
    }

    fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(text: &str) -> String {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    let end = ends.take_while(|end| *end <= SET_ASIDE_TEXT_BYTES_MAX).last();
    text[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests;
