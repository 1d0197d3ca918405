//! Work on several threads in parallel.

use std::sync::{Mutex, PoisonError};
use std::{io, iter, panic, thread};

use crate::os;

/// Does the work on a thread of its own, and does not wait for it.
///
/// # Errors
/// The system has no thread for us.
pub(crate) fn spawn_detached(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let here = os::processor();
    let work = move || {
        os::leave_processor(here);
        work();
    };
    thread::Builder::new().name(name.to_owned()).spawn(work)?;
    step_aside();
    Ok(())
}

/// Does the work for each of the items, on as many threads as wanted and not more than there are items or than the system gives, this one
/// among them; gives the results in the items' order. A panic in one of them is a panic here.
pub(crate) fn parallel_map<T, R>(
    threads: usize,
    items: impl ExactSizeIterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R>
where
    T: Send,
    R: Send,
{
    let others = threads.min(items.len()).saturating_sub(1);
    let queue = Mutex::new(items.enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || iter::from_fn(next).map(|(index, item)| (index, work(item))).collect::<Vec<_>>();
    let here = os::processor();
    let drain_elsewhere = || {
        os::leave_processor(here);
        drain()
    };
    let mut results = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, drain_elsewhere).ok();
        let others: Vec<_> = (0..others).map_while(start).collect();
        if !others.is_empty() {
            step_aside();
        }
        let mut results = drain();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Lets a new thread go on, or elsewhere, if it waits for the processor that this one runs on.
fn step_aside() {
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for threads in [0, 1, 2, 7, 100] {
            let doubled = parallel_map(threads, 0..20, |item| item * 2);
            assert_eq!(doubled, (0..20).map(|item| item * 2).collect::<Vec<_>>(), "{threads}");
        }
        assert!(parallel_map(4, Vec::<u8>::new().into_iter(), |item| item).is_empty());
    }

    #[test]
    fn it_is_done_at_once() {
        // No thread passes before all are here.
        let barrier = Barrier::new(3);
        let ids = parallel_map(3, 0..3, |_| {
            barrier.wait();
            thread::current().id()
        });
        assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), 3);
    }
}
