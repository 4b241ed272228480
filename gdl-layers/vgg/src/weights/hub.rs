//! Weights from the Hugging Face hub (feature `hub`): only the bytes needed, kept in a cache.

use super::VggWeights;
use super::ranges::{RangeSource, fetch_ranges};
use crate::{Arch, Error, Result, Tap};
use gdl_kernels::cache_dir;
use hf_hub::progress::{Progress, ProgressEvent, ProgressHandler};
use hf_hub::repository::RepoTypeModel;
use hf_hub::{HFClient, HFRepositorySync};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const FILE: &str = "model.safetensors";
/// How long an answer may take to begin, which is a few round trips.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing more may arrive of an answer before the request counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The repository that holds an architecture's weights, trained on ImageNet; owner and name.
pub fn repository(arch: Arch) -> (&'static str, &'static str) {
    match arch {
        Arch::Vgg16 => ("timm", "vgg16.tv_in1k"),
        Arch::Vgg19 => ("timm", "vgg19.tv_in1k"),
    }
}

/// torchvision's weights for `arch`, at least up to `upto`: from the cache, or fetched and put there.
///
/// Of the file of some 550 MB only the convolutions needed are fetched (for `relu5_1` of VGG-19 52 MB), checked, and
/// written to [`cache_dir`] whole or not at all. A damaged cache file is fetched again. `HF_ENDPOINT` names another
/// hub, `HF_HUB_OFFLINE=1` forbids the network, as everywhere with the hub.
///
/// `progress` is told the bytes fetched and the bytes to fetch in all.
///
/// # Errors
/// [`Error::Hub`], which names the ways on, when the hub does not answer within seconds; and a file that is not what is
/// expected.
pub fn fetch(arch: Arch, upto: Tap, progress: &mut dyn FnMut(u64, u64)) -> Result<VggWeights> {
    let (owner, name) = repository(arch);
    if !arch.has(upto) {
        let last = arch.convs().last().map_or(Tap::relu(1, 1), |c| Tap::relu(c.block, c.index));
        return Err(Error::TapBeyondEnd { origin: format!("{owner}/{name}"), tap: upto, last });
    }
    if let Some((_, cached)) = cached(arch, upto) {
        return Ok(cached);
    }
    let mut source = HubSource::connect(owner, name, None)?;
    let weights = fetch_ranges(&mut source, arch, upto, progress)?;
    if let Some(path) = cache_file(arch, upto) {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        weights.save(path)?;
    }
    Ok(weights)
}

fn cache_file(arch: Arch, upto: Tap) -> Option<PathBuf> {
    let (owner, name) = repository(arch);
    let upto = Tap::relu(upto.block, upto.index);
    cache_dir().map(|folder| folder.join(format!("{owner}--{name}-to-{upto}.safetensors")))
}

/// Where [`fetch`] has put the weights of `arch` that reach `upto`; none when there is no cache, or no sound file in it.
pub fn cached_file(arch: Arch, upto: Tap) -> Option<PathBuf> {
    cached(arch, upto).map(|(path, _)| path)
}

/// The first sound file in the cache that reaches far enough.
fn cached(arch: Arch, upto: Tap) -> Option<(PathBuf, VggWeights)> {
    arch.convs()
        .map(|c| Tap::relu(c.block, c.index))
        .filter(|tap| *tap >= upto)
        .filter_map(|tap| {
            let path = cache_file(arch, tap)?;
            Some((VggWeights::open(&path).ok()?, path))
        })
        .find(|(w, _)| w.arch() == arch && w.has(upto))
        .map(|(w, path)| (path, w))
}

/// A file on the hub.
struct HubSource {
    repository: HFRepositorySync<RepoTypeModel>,
    name: String,
    first_patience: Duration,
}

/// Counts what arrives, so that a request that stands still is noticed.
struct Arrived(AtomicU64);

impl ProgressHandler for Arrived {
    fn on_progress(&self, _: &ProgressEvent) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl HubSource {
    /// `endpoint` names another hub than the environment does.
    fn connect(owner: &str, name: &str, endpoint: Option<&str>) -> Result<Self> {
        let full = format!("{owner}/{name}");
        if std::env::var_os("HF_HUB_OFFLINE").is_some_and(|v| !v.is_empty() && v != "0") {
            return Err(Error::Hub { repo: full, cause: "HF_HUB_OFFLINE is set".into() });
        }
        let mut builder = HFClient::builder()
            .cache_enabled(false)
            .retry_max_attempts(2)
            .retry_base_delay(Duration::from_millis(250));
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint(endpoint);
        }
        let client = builder.build_sync().map_err(|e| failure(&full, &e))?;
        let repository = client.model(owner, name);
        Ok(Self { repository, name: full, first_patience: FIRST_PATIENCE })
    }
}

impl RangeSource for HubSource {
    fn origin(&self) -> String {
        format!("{}/{FILE}", self.name)
    }

    fn read_range(&mut self, range: Range<u64>) -> Result<Vec<u8>> {
        // The client has no timeout of its own: the request runs on a thread that is left behind when it stands still.
        let (sender, receiver) = channel();
        let (repository, arrived) = (self.repository.clone(), Arc::new(Arrived(AtomicU64::new(0))));
        let progress: Progress = arrived.clone().into();
        std::thread::spawn(move || {
            let bytes =
                repository.download_file_to_bytes().filename(FILE).range(range).progress(progress).send();
            // Nobody listens any more after a timeout.
            let _ = sender.send(bytes);
        });
        let (mut count, mut since) = (0, Instant::now());
        loop {
            match receiver.recv_timeout(Duration::from_millis(200)) {
                Ok(Ok(bytes)) => return Ok(bytes.to_vec()),
                Ok(Err(e)) => return Err(failure(&self.name, &e)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Hub {
                        repo: self.name.clone(),
                        cause: "the request broke off".into(),
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = arrived.0.load(Ordering::Relaxed);
            let patience = if now == 0 { self.first_patience } else { PATIENCE };
            if now != count {
                (count, since) = (now, Instant::now());
            } else if since.elapsed() > patience {
                let cause = format!("no answer for {patience:?}");
                return Err(Error::Hub { repo: self.name.clone(), cause });
            }
        }
    }
}

/// The innermost cause says most: "dns error", "connection refused", "401 Unauthorized".
fn failure(repo: &str, error: &dyn std::error::Error) -> Error {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let cause = innermost.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    Error::Hub { repo: repo.to_string(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VggConfig;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Mutex;

    /// A hub of one file on this machine, which keeps the ranges asked for.
    fn serve(file: Vec<u8>) -> (String, Arc<Mutex<Vec<Range<usize>>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                let headers: Vec<String> =
                    lines.map(|l| l.unwrap().to_ascii_lowercase()).take_while(|l| !l.is_empty()).collect();
                assert!(request.contains("/timm/vgg19.tv_in1k/resolve/main/model.safetensors"), "{request}");
                let range = headers.iter().find_map(|h| h.strip_prefix("range: bytes=")).map(|r| {
                    let (from, to) = r.split_once('-').unwrap();
                    from.parse().unwrap()..to.parse::<usize>().unwrap() + 1
                });
                let (status, body) = match range {
                    Some(range) => {
                        log.lock().unwrap().push(range.clone());
                        ("206 Partial Content", &file[range])
                    }
                    None => ("200 OK", &file[..]),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-repo-commit: 0\r\netag: \"0\"\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                if request.starts_with("GET") {
                    stream.write_all(body).unwrap();
                }
            }
        });
        (address, asked)
    }

    #[test]
    fn a_hub_is_asked_for_the_ranges_needed() {
        let upto = Tap::relu(2, 2);
        let whole = VggWeights::random(&VggConfig { upto, ..VggConfig::default() }, 1).unwrap();
        let file = safetensors::serialize(whole.tensors(), None).unwrap();
        let size = file.len();
        let (address, asked) = serve(file);
        let mut source = HubSource::connect("timm", "vgg19.tv_in1k", Some(&address)).unwrap();
        let part = fetch_ranges(&mut source, Arch::Vgg19, Tap::relu(1, 2), &mut |_, _| ()).unwrap();
        assert_eq!(part.last_tap(), Tap::relu(1, 2));
        for (key, tensor) in part.tensors() {
            let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values(tensor), values(&whole.tensors()[key]));
        }
        let read: usize = asked.lock().unwrap().iter().map(|r| r.len()).sum();
        assert!(read < size / 4, "{read} of {size}");
    }

    #[test]
    fn without_a_hub_there_is_one_line_with_the_ways_on() {
        // A port that was free a moment ago, where nobody listens.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let since = Instant::now();
        let mut source =
            HubSource::connect("timm", "vgg19.tv_in1k", Some(&format!("http://{address}"))).unwrap();
        let error = source.read_range(0..8).unwrap_err().to_string();
        for part in ["timm/vgg19.tv_in1k", "connect", "--weights FILE", "--weights builtin"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(!error.contains('\n') && since.elapsed() < PATIENCE, "{error}");
    }

    #[test]
    fn a_hub_that_takes_the_call_and_says_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut source =
            HubSource::connect("timm", "vgg19.tv_in1k", Some(&format!("http://{address}"))).unwrap();
        source.first_patience = Duration::from_millis(300);
        let since = Instant::now();
        let error = source.read_range(0..8).unwrap_err();
        assert!(matches!(&error, Error::Hub { cause, .. } if cause == "no answer for 300ms"), "{error}");
        assert!(since.elapsed() < FIRST_PATIENCE, "{:?}", since.elapsed());
    }

    #[test]
    #[ignore = "needs a network connection"]
    fn the_hub_itself() {
        let (owner, name) = repository(Arch::Vgg19);
        let mut source = HubSource::connect(owner, name, None).unwrap();
        let weights = fetch_ranges(&mut source, Arch::Vgg19, Tap::relu(1, 1), &mut |_, _| ());
        assert_eq!(weights.unwrap().last_tap(), Tap::relu(1, 1));
    }
}
