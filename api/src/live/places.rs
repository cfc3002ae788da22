use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::error::ApiError;

/// How many sockets may be open, in all and for each caller. Cheap to clone.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    total: usize,
    each: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// A socket's right to be open; given back when dropped.
pub struct Place {
    places: Arc<Inner>,
    caller: String,
}

impl Places {
    /// `total` sockets, of which `each` caller may have so many.
    pub fn new(total: usize, each: usize) -> Self {
        Self(Arc::new(Inner { total, each, taken: Mutex::default() }))
    }

    /// A place for one more socket of `caller`.
    ///
    /// # Errors
    /// [`ApiError::TooMany`] where a limit is reached.
    pub fn take(&self, caller: &str) -> Result<Place, ApiError> {
        let Inner { total, each, taken } = &*self.0;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(caller).copied().unwrap_or_default();
        let problem = if own >= *each {
            format!("{caller:?} has {own} open sockets and may have {each}; close one")
        } else if taken.values().sum::<usize>() >= *total {
            format!("all {total} sockets of this server are taken")
        } else {
            taken.insert(caller.to_owned(), own + 1);
            return Ok(Place { places: self.0.clone(), caller: caller.to_owned() });
        };
        Err(ApiError::TooMany(problem))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_for_each_caller_and_in_all_and_places_come_back() {
        let places = Places::new(3, 2);
        let ada = [places.take("ada").unwrap(), places.take("ada").unwrap()];
        assert_eq!(
            places.take("ada").err().unwrap().to_string(),
            "\"ada\" has 2 open sockets and may have 2; close one"
        );
        let _bob = places.take("bob").unwrap();
        assert_eq!(places.take("eve").err().unwrap().to_string(), "all 3 sockets of this server are taken");
        drop(ada);
        assert!(places.take("eve").is_ok());
        assert_eq!(places.0.taken.lock().unwrap().len(), 1);
    }
}
