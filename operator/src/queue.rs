//! What is to be looked at: each object once, however often it is named, and few at a time.
//!
//! kube's scheduler takes whatever it is handed at once, and never gives the room back that this took: of a thousand
//! objects that are named together it is handed some, and the next when those have been looked at.
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use futures::{Stream, stream};
use kube::{
    Resource,
    runtime::reflector::{ObjectRef, ObjectRefExtra as Extra, Store},
};

use crate::watch::Watched;

/// Objects that are in somebody's hands at a time: enough for those that look at them to have no pause.
const IN_HAND: usize = 128;
/// Room for so many is kept.
const ROOM: usize = 1024;

/// Objects to look at; none while nobody looks.
pub struct Queue<K: Watched>(Arc<Mutex<Named<K>>>);

struct Named<K: Watched> {
    /// All that there is, where somebody looks.
    store: Option<Store<K>>,
    /// In the order in which they were first named.
    waiting: VecDeque<Arc<ObjectRef<K>>>,
    names: HashSet<Arc<ObjectRef<K>>>,
    in_hand: HashSet<ObjectRef<K>>,
    waker: Option<Waker>,
}

impl<K: Watched> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Watched> Default for Queue<K> {
    fn default() -> Self {
        let (waiting, names, in_hand) = (VecDeque::new(), HashSet::new(), HashSet::new());
        Self(Arc::new(Mutex::new(Named { store: None, waiting, names, in_hand, waker: None })))
    }
}

impl<K: Watched> Queue<K> {
    /// Has an object looked at, where somebody looks.
    pub fn wake(&self, object: ObjectRef<K>) {
        self.lock().add([object]);
    }

    /// Has all that there is looked at.
    pub fn wake_all(&self) {
        let mut named = self.lock();
        if let Some(store) = &named.store {
            let all = store.state();
            named.add(all.iter().map(|object| ObjectRef::from_obj(&**object)));
        }
    }

    /// From now on somebody looks: at all that there is in `store` first.
    pub fn open(&self, store: Store<K>) {
        self.lock().store = Some(store);
        self.wake_all();
    }

    /// What is to be looked at next, and is in the caller's hands until it is [laid down](Self::lay_down).
    pub fn take(&self) -> Option<ObjectRef<K>> {
        self.lock().take()
    }

    /// All that is [taken](Self::take), as it comes.
    pub fn taken(&self) -> impl Stream<Item = ObjectRef<K>> + Send + use<K> {
        let queue = self.clone();
        stream::poll_fn(move |context| {
            let mut named = queue.lock();
            let next = named.take();
            if next.is_none() {
                named.waker = Some(context.waker().clone());
            }
            next.map_or(Poll::Pending, |next| Poll::Ready(Some(next)))
        })
    }

    /// Somebody has looked at what was in his hands, or at another one, which is no matter.
    pub fn lay_down(&self, object: &ObjectRef<K>) {
        let mut named = self.lock();
        if named.in_hand.remove(object) && !named.waiting.is_empty() {
            named.call();
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Named<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Watched> Named<K> {
    fn add(&mut self, objects: impl IntoIterator<Item = ObjectRef<K>>) {
        if self.store.is_none() {
            return;
        }
        for mut object in objects {
            if !self.names.contains(&object) {
                object.extra = Extra::default();
                let object = Arc::new(object);
                self.names.insert(object.clone());
                self.waiting.push_back(object);
            }
        }
        self.call();
    }

    /// One that is in hand already may be taken again: it is looked at once more after that.
    fn take(&mut self) -> Option<ObjectRef<K>> {
        let next = self.waiting.front()?;
        if self.in_hand.len() >= IN_HAND && !self.in_hand.contains(&**next) {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.names.remove(&next);
        if self.waiting.is_empty() && self.waiting.capacity() > ROOM {
            self.waiting.shrink_to(ROOM);
            self.names.shrink_to(ROOM);
        }
        let next = Arc::unwrap_or_clone(next);
        self.in_hand.insert(next.clone());
        Some(next)
    }

    fn call(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// An object by its name alone, of any uid and version.
pub(crate) fn reference<K: Resource<DynamicType = ()>>(name: &str, namespace: Option<&str>) -> ObjectRef<K> {
    let reference = ObjectRef::new(name);
    match namespace {
        Some(namespace) => reference.within(namespace),
        None => reference,
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::{reflector, watcher};

    use super::*;

    fn named(name: &str) -> ObjectRef<ConfigMap> {
        ObjectRef::new(name).within("team")
    }

    fn store(names: &[String]) -> Store<ConfigMap> {
        let (store, mut writer) = reflector::store();
        for name in names {
            let mut object = ConfigMap::default();
            (object.metadata.name, object.metadata.namespace) = (Some(name.clone()), Some("team".into()));
            writer.apply_watcher_event(&watcher::Event::Apply(object));
        }
        store
    }

    fn names(queue: &Queue<ConfigMap>) -> Vec<String> {
        std::iter::from_fn(|| queue.take()).map(|object| object.name).collect()
    }

    #[test]
    fn each_is_there_once_in_the_order_in_which_they_were_named_and_none_before_somebody_looks() {
        let queue = Queue::default();
        queue.wake(named("early"));
        assert_eq!(queue.take(), None);
        queue.open(store(&["a".into()]));
        for name in ["b", "a", "c", "b"] {
            queue.wake(named(name));
        }
        assert_eq!(names(&queue), ["a", "b", "c"]);
        queue.wake(named("b"));
        assert_eq!(names(&queue), ["b"], "it is in hand, and looked at again after that");
        assert_eq!(queue.lock().names, HashSet::new());
    }

    #[test]
    fn few_are_in_hand_at_a_time_and_their_room_is_given_back() {
        let all: Vec<_> = (0..10_000).map(|number| format!("a{number}")).collect();
        let queue = Queue::default();
        queue.open(store(&all));
        let first = names(&queue);
        assert_eq!(first.len(), IN_HAND);
        queue.wake(named(&first[0]));
        assert_eq!(queue.take(), None, "the turn is another's");
        let mut looked_at = first;
        for index in 0.. {
            let Some(done) = looked_at.get(index) else { break };
            queue.lay_down(&named(done));
            queue.lay_down(&named("another"));
            looked_at.extend(queue.take().map(|next| next.name));
        }
        assert_eq!(looked_at.len(), all.len() + 1);
        assert_eq!(looked_at.iter().collect::<HashSet<_>>(), all.iter().collect());
        let room = queue.lock();
        assert!(room.in_hand.is_empty() && room.waiting.capacity() <= 2 * ROOM && room.names.capacity() <= 2 * ROOM);
    }

    #[tokio::test]
    async fn who_waits_hears_of_a_name_and_of_a_hand_that_is_free() {
        let queue = Queue::default();
        queue.open(store(&[]));
        let taken = queue.taken();
        let mut taken = std::pin::pin!(taken);
        assert!(taken.next().now_or_never().is_none());
        let (woken, ()) = tokio::join!(taken.next(), async { queue.wake(named("a")) });
        assert_eq!(woken.unwrap().name, "a");
        for number in 1..=IN_HAND {
            queue.wake(named(&format!("b{number}")));
        }
        for _ in 1..IN_HAND {
            taken.next().await.unwrap();
        }
        assert!(taken.next().now_or_never().is_none());
        let (woken, ()) = tokio::join!(taken.next(), async { queue.lay_down(&named("a")) });
        assert_eq!(woken.unwrap().name, format!("b{IN_HAND}"));
    }
}
