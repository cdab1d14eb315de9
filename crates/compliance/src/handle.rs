//! The board of a site, kept by one and read by many.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Board;

type Shared = Arc<RwLock<Option<Board>>>;

/// The one who keeps a board. There is none until the first scan of the vectors is done.
#[derive(Debug, Default)]
pub struct BoardWriter(Shared);

/// Reads a board that somebody else keeps. Clones share it.
#[derive(Clone, Debug)]
pub struct BoardHandle(Shared);

impl BoardWriter {
    #[must_use]
    pub fn handle(&self) -> BoardHandle {
        BoardHandle(Arc::clone(&self.0))
    }

    pub fn replace(&self, board: Board) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(board);
    }

    /// Changes the board, if there is one.
    pub fn change(&self, change: impl FnOnce(&mut Board)) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).as_mut().map(change);
    }
}

impl BoardHandle {
    /// Asks the board; `None` while it is warming up.
    pub fn read<T>(&self, ask: impl FnOnce(&Board) -> T) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(ask)
    }
}
