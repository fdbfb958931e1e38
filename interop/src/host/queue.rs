//! What is left to do, and which machine may do it.

use std::collections::VecDeque;

use crate::host::machine::Kernel;
use crate::report::Order;

/// A task for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The name under which the machine reports of it.
    pub name: String,
    /// What the machine is told.
    pub order: Order,
    /// The kernel that it has to run on.
    pub kernel: Kernel,
    /// Whether it changes the machine, so that nothing else may run beside it.
    pub alone: bool,
}

/// Tasks, the longest first.
#[derive(Debug)]
pub struct Queue {
    tasks: VecDeque<Task>,
}

/// What a machine that has room is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Begin(Task),
    /// Nothing, until one of its tasks has ended.
    Wait,
    /// Nothing any more.
    Stop,
}

impl Queue {
    /// With these tasks.
    pub fn new(tasks: Vec<Task>) -> Self {
        Self { tasks: tasks.into() }
    }

    /// The next task for a machine with this kernel, which is at work on `running`.
    pub fn next(&mut self, kernel: Kernel, running: &[Task]) -> Next {
        if running.iter().any(|task| task.alone) {
            return Next::Wait;
        }
        let fits = |task: &Task| task.kernel == kernel && (running.is_empty() || !task.alone);
        match self.tasks.iter().position(fits) {
            Some(at) => self.tasks.remove(at).map_or(Next::Stop, Next::Begin),
            None if self.tasks.iter().any(|task| task.kernel == kernel) => Next::Wait,
            None => Next::Stop,
        }
    }

    /// Those that nobody has begun.
    pub fn left(self) -> impl Iterator<Item = Task> {
        self.tasks.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, kernel: Kernel, alone: bool) -> Task {
        Task {
            name: name.to_owned(),
            order: Order::Scenario(name.to_owned()),
            kernel,
            alone,
        }
    }

    #[test]
    fn machines_take_what_their_kernel_can_do() {
        let (stock, other) = (
            task("stock", Kernel::Stock, false),
            task("other", Kernel::UserMode, false),
        );
        let mut queue = Queue::new(vec![stock.clone(), other.clone()]);
        assert_eq!(queue.next(Kernel::UserMode, &[]), Next::Begin(other.clone()));
        assert_eq!(queue.next(Kernel::UserMode, &[other]), Next::Stop);
        assert_eq!(queue.next(Kernel::Stock, &[]), Next::Begin(stock));
        assert_eq!(queue.left().count(), 0);
    }

    #[test]
    fn who_must_be_alone_is() {
        let kernel = Kernel::Stock;
        let (alone, first, second) = (
            task("alone", kernel, true),
            task("first", kernel, false),
            task("second", kernel, false),
        );
        let mut queue = Queue::new(vec![first.clone(), alone.clone(), second.clone()]);
        assert_eq!(queue.next(kernel, &[]), Next::Begin(first.clone()));
        assert_eq!(
            queue.next(kernel, std::slice::from_ref(&first)),
            Next::Begin(second.clone())
        );
        assert_eq!(queue.next(kernel, &[first, second]), Next::Wait);
        assert_eq!(queue.next(kernel, &[]), Next::Begin(alone.clone()));
        assert_eq!(queue.next(kernel, &[alone]), Next::Wait);
    }
}
