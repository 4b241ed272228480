use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a file whole or not at all.
///
/// `write` fills a temporary file in the same folder, which is then synced to the disk and renamed to `path`. Readers
/// see the old file or the new one, never a part; when `write` fails, nothing is left behind.
///
/// # Errors
/// Those of `write`, and [`Error::Io`] naming `path` when the file cannot be made, synced or renamed.
///
/// # Example
/// ```
/// use std::io::Write;
/// # let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("notes.txt");
/// gdl_train::atomic_write(&path, |file| Ok(file.write_all(b"whole").unwrap())).unwrap();
/// assert_eq!(std::fs::read(&path).unwrap(), b"whole");
/// ```
pub fn atomic_write(path: impl AsRef<Path>, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let path = path.as_ref();
    replace(path, |temporary| write(temporary.as_file_mut()))
}

/// As [`atomic_write`], of what is there already.
///
/// # Errors
/// [`Error::Io`] naming `path` when the file cannot be made, written, synced or renamed.
pub fn atomic_write_bytes(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    atomic_write(path, |file| file.write_all(bytes.as_ref()).map_err(Error::io("write", path)))
}

/// As [`atomic_write`], for writers that want the temporary's path.
pub(crate) fn atomic_write_at(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    replace(path, |temporary| {
        let permissions = temporary.as_file().metadata().map_err(Error::io("write", path))?.permissions();
        write(temporary.path())?;
        // A writer may have put a file of its own in the temporary's place, which only its owner can read.
        let file = File::options().write(true).open(temporary.path());
        let done = file.and_then(|file| file.set_permissions(permissions).and_then(|()| file.sync_all()));
        done.map_err(Error::io("write", path))
    })
}

fn replace(path: &Path, write: impl FnOnce(&mut tempfile::NamedTempFile) -> Result<()>) -> Result<()> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp-");
    // Left to itself, tempfile makes files that only their owner can read, and the rename would keep that.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(&folder).map_err(Error::io("write", path))?;
    write(&mut temporary)?;
    temporary.as_file().sync_all().map_err(Error::io("write", path))?;
    temporary.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    sync_folder(&folder)
}

/// The folder a path lies in; "." for a bare name.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename durable. Windows has no such call for folders, and needs none.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("sync", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn failure_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        atomic_write(&path, |f| f.write_all(b"old").map_err(Error::io("write", "a"))).unwrap();
        let failed = atomic_write(&path, |f| {
            f.write_all(b"half of the ne").unwrap();
            Err(Error::mismatch("test", "stop here"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = atomic_write("/no/such/folder/file", |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("/no/such/folder/file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode =
            |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        std::fs::write(dir.path().join("plain"), "").unwrap();
        atomic_write(dir.path().join("atomic"), |_| Ok(())).unwrap();
        crate::save_tensors(dir.path().join("tensors"), &Default::default(), &Default::default()).unwrap();
        assert_eq!((mode("atomic"), mode("tensors")), (mode("plain"), mode("plain")));
    }
}
