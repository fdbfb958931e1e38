//! A kernel that takes everything, when it is let.

use std::collections::BTreeSet;

use distributor_client::state::AppliedReport;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::dataplane::Kernel;
use crate::dataplane::plan::Terms;

/// Plays the kernel's thread.
pub(super) struct FakeKernel {
    gate: watch::Sender<bool>,
    reached: watch::Receiver<u64>,
    children: watch::Receiver<BTreeSet<u32>>,
    _task: JoinSet<()>,
}

impl FakeKernel {
    pub(super) fn start(kernel: Kernel) -> Self {
        let (gate, open) = watch::channel(true);
        let (reached_state, reached) = watch::channel(0);
        let (children_state, children) = watch::channel(BTreeSet::new());
        let task = JoinSet::from_iter([play(kernel, open, reached_state, children_state)]);
        Self {
            gate,
            reached,
            children,
            _task: task,
        }
    }

    /// While it is shut, nothing is installed.
    pub(super) fn set_open(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// Returns when a revision above `revision` has reached the edge, installed or not.
    pub(super) async fn reached_beyond(&mut self, revision: u64) {
        self.reached
            .wait_for(|reached| *reached > revision)
            .await
            .unwrap();
    }

    pub(super) fn reached(&self) -> u64 {
        *self.reached.borrow()
    }

    /// Inbound SPIs.
    pub(super) fn installed(&self) -> BTreeSet<u32> {
        self.children.borrow().clone()
    }

    /// Returns when nothing is installed.
    pub(super) async fn empty(&mut self) {
        self.children.wait_for(BTreeSet::is_empty).await.unwrap();
    }
}

async fn play(
    mut kernel: Kernel,
    mut open: watch::Receiver<bool>,
    reached: watch::Sender<u64>,
    children: watch::Sender<BTreeSet<u32>>,
) {
    let mut cursor = None;
    while kernel.shared.session.changed().await.is_ok() {
        let began = std::time::Instant::now();
        let Some(update) = kernel.shared.replica.read().since(cursor) else {
            continue;
        };
        reached.send_replace(update.position.revision);
        open.wait_for(|open| *open).await.unwrap();
        let terms = Terms {
            now: std::time::SystemTime::now(),
            packet_limit: 1 << 30,
        };
        let changes = kernel.planner.changes(&update.records, terms);
        children.send_modify(|children| {
            for change in changes {
                match change {
                    xfrm::Change::PutChild(child) => {
                        children.insert(child.inbound_spi);
                    }
                    xfrm::Change::RemoveChild(spi) => {
                        children.remove(&spi);
                    }
                    xfrm::Change::PutTunnel(..) | xfrm::Change::RemoveTunnel(_) => {}
                }
            }
        });
        cursor = Some(update.cursor);
        let failures = kernel.planner.failures([], proto::Slot::new(1).unwrap());
        kernel.installed.send_replace(Some(AppliedReport {
            position: update.position,
            began,
            failures,
        }));
    }
}
