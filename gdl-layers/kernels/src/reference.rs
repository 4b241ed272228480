use std::sync::OnceLock;

/// Whether every operator must take its composed path (`GDL_REFERENCE` is set to something but `0` or nothing).
///
/// Read once per process. It lets a machine without some backend test the path that this backend would take.
pub fn force_reference() -> bool {
    static FORCED: OnceLock<bool> = OnceLock::new();
    *FORCED.get_or_init(|| std::env::var_os("GDL_REFERENCE").is_some_and(|v| !v.is_empty() && v != "0"))
}
