use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// The unit of `/proc/self/stat`'s times, `USER_HZ`, which is 100 a second on every architecture in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// The metrics of a process that Prometheus client libraries agree on, read from `/proc` when asked.
#[derive(Debug)]
pub(crate) struct Process {
    started: f64,
}

impl Process {
    pub(crate) fn started_now() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()) }
    }
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        gauge(&mut to, "process_start_time_seconds", "When the process started, since 1970", self.started)?;
        if let Some(bytes) = resident_memory_bytes() {
            gauge(&mut to, "process_resident_memory_bytes", "Memory in use", bytes)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
            gauge(&mut to, "process_open_fds", "Open file descriptors", open.into())?;
        }
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let help = "Time spent on the CPU by the program and for it by the kernel";
            counter.encode(to.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(to.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn resident_memory_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kilobytes.parse::<f64>().ok()? * 1024.0)
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, and may hold spaces; utime and stime are the 14th and 15th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let before = cpu_seconds().unwrap();
        let mut sum = 0_u64;
        while cpu_seconds().unwrap() <= before {
            sum = std::hint::black_box(sum + 1);
        }
        let bytes = resident_memory_bytes().unwrap();
        assert!((1e6..1e10).contains(&bytes), "{bytes}");
    }
}
