//! Connections of clients, as many as stay open; the one that was used longest ago gives way.

use std::collections::BTreeMap;

use transport::Connection;

/// A client and the address that it is connected to.
type Line = (u32, String);

#[derive(Debug)]
pub(crate) struct Pool {
    open: BTreeMap<Line, (u64, Connection)>,
    used: BTreeMap<u64, Line>,
    uses: u64,
    lines_max: usize,
}

impl Pool {
    pub(crate) fn new(lines_max: usize) -> Pool {
        let (open, used) = Default::default();
        Pool { open, used, uses: 0, lines_max }
    }

    pub(crate) fn get(&mut self, client: u32, url: &str) -> Option<Connection> {
        let line = (client, url.to_owned());
        let (used, connection) = self.open.get_mut(&line)?;
        self.uses += 1;
        self.used.remove(used);
        *used = self.uses;
        self.used.insert(self.uses, line);
        Some(connection.clone())
    }

    pub(crate) fn put(&mut self, client: u32, url: &str, connection: Connection) {
        let line = (client, url.to_owned());
        self.uses += 1;
        self.used.insert(self.uses, line.clone());
        if let Some((before, _)) = self.open.insert(line, (self.uses, connection)) {
            self.used.remove(&before);
        }
        while self.open.len() > self.lines_max {
            let oldest = self.used.pop_first();
            oldest.and_then(|(_, line)| self.open.remove(&line));
        }
    }
}
