/// The largest resident memory of this process so far, in MiB; none where the system does not say.
#[cfg(unix)]
pub(crate) fn peak_rss_mb() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let peak = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Apple counts bytes, the others KiB.
    Some(if cfg!(target_vendor = "apple") { peak >> 20 } else { peak >> 10 })
}

#[cfg(not(unix))]
pub(crate) fn peak_rss_mb() -> Option<u64> {
    None
}
