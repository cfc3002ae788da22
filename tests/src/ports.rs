//! Ports for programs that are told where to listen.
use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that the system gives to connections: one of those could be taken again before the program listens.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// A port of loopback that nobody listens on, another one each time; two processes begin at different ones.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(u64::from(std::process::id()) * 211 % u64::from(COUNT)).unwrap_or_default();
    loop {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
}
