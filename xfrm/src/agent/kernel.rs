//! The kernel of the edge: reads its objects, carries steps out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::netlink::{Refusal, Request, Sockets};
use crate::netns::{self, Netns};
use crate::objects::{Action, Objects, Source, Step, protocols};

/// The named namespaces of a pass, open, or why they are not.
pub(crate) type Namespaces = BTreeMap<String, Result<Netns, Refusal>>;

/// Sockets of the edge's own network namespace.
pub(crate) struct Kernel {
    /// The namespace itself.
    home: File,
    sockets: Sockets,
}

impl Kernel {
    /// Of the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            home: netns::own()?,
            sockets: Sockets::open(&protocols(false))?,
        })
    }

    /// The port that this namespace's requests of a protocol come from.
    pub(crate) fn port(&mut self, protocol: isize) -> io::Result<u32> {
        Ok(self.sockets.get(protocol)?.port())
    }

    /// Opens named namespaces for one pass.
    pub(crate) fn open_namespaces(&self, names: &BTreeSet<String>) -> Namespaces {
        let protocols = protocols(true);
        names
            .iter()
            .map(|name| (name.clone(), Netns::open(name, &self.home, &protocols)))
            .collect()
    }

    /// Everything that is ours, in the edge's namespace and the given ones.
    pub(crate) fn read(&mut self, namespaces: &mut Namespaces) -> io::Result<Objects> {
        let mut found = Objects::default();
        found.read(&mut Source {
            netns: None,
            home: None,
            sockets: &mut self.sockets,
        })?;
        for (name, namespace) in namespaces {
            let Ok(netns) = namespace else { continue };
            let read = found.read(&mut Source {
                netns: Some(name),
                home: Some(self.home.as_fd()),
                sockets: &mut netns.sockets,
            });
            if let Err(error) = read {
                *namespace = Err(error.into());
            }
        }
        Ok(found)
    }

    /// Carries the steps out in their order, neighbours of one place in one send. One result for each. `now` is in
    /// seconds of Unix time.
    pub(crate) fn run(
        &mut self,
        steps: &[Step],
        namespaces: &mut Namespaces,
        now: u64,
    ) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(steps.len());
        for neighbours in steps.chunk_by(|a, b| a.action.place() == b.action.place()) {
            let mut requests = Vec::with_capacity(neighbours.len());
            let mut prepared: Vec<_> = neighbours
                .iter()
                .map(|step| request(&step.action, namespaces, now).map(|request| requests.push(request)))
                .collect();
            let answers = self.execute(neighbours, &requests, namespaces);
            let sent = prepared.iter_mut().filter(|result| result.is_ok());
            for (result, answer) in sent.zip(answers) {
                *result = answer;
            }
            results.append(&mut prepared);
        }
        results
    }

    /// One answer for each request; none if the place of these steps cannot be reached, which leaves no request either.
    fn execute(
        &mut self,
        neighbours: &[Step],
        requests: &[Request],
        namespaces: &mut Namespaces,
    ) -> Vec<Result<(), Refusal>> {
        let Some(place) = neighbours.first().map(|step| step.action.place()) else {
            return Vec::new();
        };
        let sockets = match place.netns.map(|name| namespaces.get_mut(name)) {
            None => &mut self.sockets,
            Some(Some(Ok(netns))) => &mut netns.sockets,
            Some(Some(Err(_)) | None) => return Vec::new(),
        };
        match sockets.get(place.protocol) {
            Ok(socket) => socket.execute(requests),
            Err(error) => {
                let refusal = Refusal::from(error);
                requests.iter().map(|_| Err(refusal.clone())).collect()
            }
        }
    }
}

/// The request of an action, if the namespace it needs is there.
fn request(action: &Action, namespaces: &Namespaces, now: u64) -> Result<Request, Refusal> {
    let netns = match action.netns().map(|name| namespaces.get(name)) {
        None => None,
        Some(Some(Ok(netns))) => Some(netns),
        Some(Some(Err(refusal))) => return Err(refusal.clone()),
        Some(None) => return Err(Errno::NOENT.into()),
    };
    action.request(netns, now)
}
