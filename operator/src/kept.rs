//! The objects of a kind, and which of them are to be looked at.
use std::fmt::Debug;

use futures::future::BoxFuture;
use kube::{
    Api,
    runtime::{reflector::Store, watcher},
};

use crate::{
    carry_out::Hands,
    controller::{self, Controller},
    declared::{Declared, DeclaredController, World},
    queue::Queue,
    watch::{Change, Origin, Watched},
};

/// The objects of a kind that people write, and which of them to look at.
#[derive(Clone)]
pub(crate) struct Kept<K: Watched> {
    pub(crate) store: Store<K>,
    pub(crate) queue: Queue<K>,
}

impl<K: Watched> Kept<K> {
    /// Starts its watch; `wake` says what each change has looked at.
    pub(crate) fn start_waking(
        origin: &Origin,
        prune: impl Fn(&mut K) + Send + 'static,
        wake: impl Fn(&K, &Queue<K>) + Send + 'static,
    ) -> Self {
        Self::start_telling(origin, Queue::default(), prune, move |object, _, queue| wake(object, queue))
    }

    /// Starts its watch, for a queue that others know too.
    pub(crate) fn start_telling(
        origin: &Origin,
        queue: Queue<K>,
        prune: impl Fn(&mut K) + Send + 'static,
        tell: impl Fn(&K, Change, &Queue<K>) + Send + 'static,
    ) -> Self {
        let woken = queue.clone();
        let tell = move |object: &K, change| tell(object, change, &woken);
        Self { store: origin.guarded_cache(Api::all, watcher::Config::default(), prune, tell), queue }
    }

    /// Has its objects looked at by a controller.
    pub(crate) fn run_by(self, controller: impl Controller<Object = K>, hands: &Hands) -> BoxFuture<'static, ()> {
        Box::pin(controller::run(controller, hands.clone(), self.store, self.queue))
    }
}

impl<K: Declared + Debug> Kept<K> {
    /// Has the statuses of its objects kept, which are only declared.
    pub(crate) fn run(self, world: &World, hands: &Hands) -> BoxFuture<'static, ()> {
        self.run_by(DeclaredController::<K>::new(world.clone()), hands)
    }
}
