use anyhow::Context;

/// What a process has used, from `/proc`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU time in seconds.
    pub(crate) cpu: f64,
    /// Resident memory in MB (10^6 bytes), and the most there ever was.
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

/// Clock ticks a second: fixed at 100 on Linux as `/proc` shows it.
const TICKS: f64 = 100.0;

pub(crate) fn usage(pid: u32) -> anyhow::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    let after_name = stat.rsplit_once(')').context("no process name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default()
    };
    Ok(Usage {
        cpu: (ticks(11) + ticks(12)) / TICKS,
        resident: kilobytes("VmRSS:") * 1024.0 / 1e6,
        peak: kilobytes("VmHWM:") * 1024.0 / 1e6,
    })
}

/// The resident memory of every process called `name`, in MB (10^6 bytes).
pub(crate) fn resident(name: &str) -> anyhow::Result<Vec<f64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let command = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if command.trim_end() == name {
            found.push(usage(pid)?.resident);
        }
    }
    Ok(found)
}
