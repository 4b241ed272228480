//! A folder to work in, the program run there, and what it leaves.

use candle_core::{Device, Tensor};
use gdl_train::{Tensors, load_tensors, save_tensors};
use gdl_vgg::{Tap, VggConfig, VggWeights};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    fn new(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on the standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on the error stream"),
        }
    }
}

/// A fresh folder, removed in the end. Commands run in it, so that arguments are short.
#[derive(Debug)]
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with what most commands start from: a content and a style picture, a corpus, and two folders of
    /// pictures of all sizes.
    pub(crate) fn stocked() -> Self {
        let dir = Self::new();
        dir.picture("content.png", 40, 31);
        dir.picture("style.png", 23, 37);
        dir.picture("a/one.png", 37, 41);
        dir.picture("a/two.jpg", 33, 52);
        dir.picture("b/drei.png", 51, 35);
        dir.picture("b/vier.png", 32, 32);
        dir.picture("b/fuenf.bmp", 64, 21);
        dir.write("corpus.txt", CORPUS.repeat(12));
        dir
    }

    /// The same with a VGG network of a few channels up to relu3_1, small.safetensors.
    pub(crate) fn with_network() -> Self {
        let dir = Self::stocked();
        dir.network("small.safetensors", 1);
        dir
    }

    /// Such a network of that seed.
    pub(crate) fn network(&self, name: &str, seed: u64) {
        let config = VggConfig { upto: Tap::relu(3, 1), widths: [4, 6, 8, 8, 8], ..VggConfig::default() };
        VggWeights::random(&config, seed).unwrap().save(self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A picture with a gradient and a pattern that its size gives.
    pub(crate) fn picture(&self, name: &str, height: usize, width: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let value = |c: usize, y: usize, x: usize| match c {
            0 => y as f32 / height as f32,
            1 => x as f32 / width as f32,
            _ => ((x * height + y * 7) % 11) as f32 / 10.0,
        };
        let pixel = |i: usize| value(i / (height * width), i / width % height, i % width);
        let values: Vec<f32> = (0..3 * height * width).map(pixel).collect();
        let picture = Tensor::from_vec(values, (3, height, width), &Device::Cpu).unwrap();
        gdl_image_io::save_image(&picture, path).unwrap();
    }

    /// (width, height) of a picture that can be read to its end.
    pub(crate) fn size(&self, name: &str) -> (usize, usize) {
        let picture = gdl_image_io::load_image(self.path(name), &Default::default()).unwrap();
        (picture.dim(2).unwrap(), picture.dim(1).unwrap())
    }

    /// The program, ready to be run here: without a network, and with nothing in its cache.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gdl"));
        let nowhere = std::env::temp_dir().join("gdl-tests-have-no-cache");
        command
            .args(args)
            .current_dir(self.0.path())
            .env("HF_HUB_OFFLINE", "1")
            .env("GDL_CACHE", &nowhere)
            .env("XDG_CACHE_HOME", &nowhere)
            .env("HOME", &nowhere)
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        command
    }

    /// Runs `gdl` with these arguments, parted by white space.
    pub(crate) fn gdl(&self, args: &str) -> Output {
        self.gdl_with(&words(args))
    }

    /// Runs `gdl` with arguments that may hold white space.
    pub(crate) fn gdl_with(&self, args: &[&str]) -> Output {
        self.output(&mut self.command(args))
    }

    pub(crate) fn output(&self, command: &mut Command) -> Output {
        Output::new(command.output().unwrap())
    }

    /// Runs `gdl` with that on its standard input.
    pub(crate) fn fed(&self, args: &str, input: &str) -> Output {
        let mut command = self.command(words(args));
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // A program that fails may not read to the end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Output::new(child.wait_with_output().unwrap())
    }

    /// Starts `gdl` and does not wait.
    pub(crate) fn start(&self, args: &str) -> Child {
        self.command(words(args)).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs `gdl`, which has to succeed.
    pub(crate) fn succeeds(&self, args: &str) -> Output {
        self.succeeds_with(&words(args))
    }

    pub(crate) fn succeeds_with(&self, args: &[&str]) -> Output {
        let output = self.gdl_with(args);
        assert_eq!(output.code, Some(0), "gdl {args:?}: {}", output.stderr);
        output
    }

    /// Runs `gdl`, which has to refuse because of how it was called: exit code 2.
    pub(crate) fn misused(&self, args: &str, says: &[&str]) {
        self.refused(2, &words(args), says);
    }

    /// Runs `gdl`, which has to fail because of what it met: exit code 1.
    pub(crate) fn fails(&self, args: &str, says: &[&str]) {
        self.refused(1, &words(args), says);
    }

    /// Runs `gdl`, which has to give that exit code, one line that says all of `says`, and nothing else: not a word on the
    /// standard output, not a file changed, made or left behind.
    pub(crate) fn refused(&self, code: i32, args: &[&str], says: &[&str]) {
        let before = self.tree();
        // A developer's environment must not change the message.
        let output = self.output(self.command(args).env("RUST_BACKTRACE", "1"));
        let message = &output.stderr;
        assert_eq!(output.code, Some(code), "gdl {args:?}: {message}{}", output.stdout);
        assert_eq!(output.stdout, "", "gdl {args:?}");
        assert!(message.starts_with("gdl: ") && message.ends_with('\n'), "gdl {args:?}: {message:?}");
        assert_eq!(message.lines().count(), 1, "gdl {args:?}: {message}");
        for part in says {
            assert!(message.contains(part), "gdl {args:?}: {part:?} is not in: {message}");
        }
        let after = self.tree();
        let names = |tree: &BTreeMap<PathBuf, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "gdl {args:?}: files");
        assert!(before == after, "gdl {args:?}: the content of files");
    }

    /// Every file and folder with its content.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let content = if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
                if path.is_dir() {
                    folders.push(path.clone());
                }
                tree.insert(path, content);
            }
        }
        tree
    }

    /// The weights of a run.
    pub(crate) fn weights(&self, run: &str) -> Tensors {
        load_tensors(self.path(run).join("weights.safetensors"), &Device::Cpu).unwrap().0
    }

    /// Changes the weights of a run, keeping what the file says about itself.
    pub(crate) fn tamper(&self, run: &str, change: impl FnOnce(&mut Tensors)) {
        let path = self.path(run).join("weights.safetensors");
        let (mut tensors, metadata) = load_tensors(&path, &Device::Cpu).unwrap();
        change(&mut tensors);
        save_tensors(&path, &tensors, &metadata).unwrap();
    }

    /// A copy of a run under another name.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        copy_folder(&self.path(from), &self.path(to));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn words(args: &str) -> Vec<&str> {
    args.split_whitespace().collect()
}

/// The same tensors, bit for bit.
pub(crate) fn assert_same(got: &Tensors, want: &Tensors) {
    let bits = |tensors: &Tensors| {
        let bits = |t: &Tensor| {
            let values = t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (t.dims().to_vec(), values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        tensors.iter().map(|(name, t)| (name.clone(), bits(t))).collect::<BTreeMap<_, _>>()
    };
    assert!(!want.is_empty());
    let (got, want) = (bits(got), bits(want));
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (name, value) in &want {
        assert!(got[name] == *value, "{name} differs");
    }
}

/// A name, and a change to a run's weights.
type Tampering = (&'static str, Box<dyn FnOnce(&mut Tensors)>);

/// What can be done to one tensor: each has to be noticed, and named.
pub(crate) fn tamperings(key: &str) -> [Tampering; 3] {
    let (gone, shaped) = (key.to_string(), key.to_string());
    let zeros = || Tensor::zeros((3, 5), candle_core::DType::F32, &Device::Cpu).unwrap();
    [
        ("missing", Box::new(move |t: &mut Tensors| drop(t.remove(&gone).unwrap()))),
        ("extra", Box::new(move |t: &mut Tensors| drop(t.insert("stowaway.weight".into(), zeros())))),
        ("shaped", Box::new(move |t: &mut Tensors| drop(t.insert(shaped, zeros()).unwrap()))),
    ]
}

/// Characters of one, two, three and four bytes.
pub(crate) const CORPUS: &str = "The fox saw the crow, and the crow saw the fox.\n\
    \u{201c}Cheese?\u{201d} said the f\u{f6}x \u{2014} \u{201c}caf\u{e9} cheese?\u{201d} \u{1f98a}\n\
    But the crow, who knew the fox, said nothing at all, and ate the cheese.\n";
