use std::path::PathBuf;

/// Where fetched weights and compiled kernels are kept: `$GDL_CACHE`, else `gdl` in the user's cache folder
/// (`$XDG_CACHE_HOME`, `~/.cache`; on Windows `%LOCALAPPDATA%`). None where none of these is set.
pub fn cache_dir() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    folder("GDL_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|p| p.join("gdl")))
        .or_else(|| folder("LOCALAPPDATA").map(|p| p.join("gdl")))
        .or_else(|| folder("HOME").map(|p| p.join(".cache").join("gdl")))
}
