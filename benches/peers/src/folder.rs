//! A folder with a network and the images that it is attacked on.
//!
//! `model.safetensors`, `meta.json` (`forward` names the architecture, `input.shape` the images,
//! `eps_linf` and `eps_l2` the radii) and `eval.npz` (`x` float32 `[n, 1, side, side]` in `[0, 1]`,
//! `y` int64 `[n]`).
use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::prelude::*;
use duress_core::{Domain, Frozen};
use npyz::WriterBuilder;
use npyz::npz::{NpzArchive, NpzWriter};
use serde::{Deserialize, Serialize};

use crate::net::{CLASSES, FORWARD, SmallNet};

const NETWORK: &str = "model.safetensors";
const META: &str = "meta.json";
const SAMPLES: &str = "eval.npz";

/// What `meta.json` must say; it may say more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// What the tables call the network.
    pub(crate) name: String,
    /// The architecture.
    pub(crate) forward: String,
    /// The images.
    pub(crate) input: Input,
    /// The radius in Linf that the network is judged at, in units of the raw input.
    pub(crate) eps_linf: f64,
    /// The radius in L2.
    pub(crate) eps_l2: f64,
}

/// The images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Channels, height and width.
    pub(crate) shape: [usize; 3],
}

/// All that a folder holds.
pub(crate) struct Folder {
    /// The description.
    pub(crate) meta: Meta,
    /// The network.
    pub(crate) net: SmallNet,
    /// Every image, row by row.
    pub(crate) images: Vec<f32>,
    /// Their classes.
    pub(crate) labels: Vec<usize>,
}

impl Meta {
    /// The description of the small network for images of one channel.
    pub(crate) fn new(name: &str, side: usize, eps_linf: f64, eps_l2: f64) -> Self {
        let input = Input { shape: [1, side, side] };
        Self { name: name.into(), forward: FORWARD.into(), input, eps_linf, eps_l2 }
    }

    /// Height and width.
    fn side(&self) -> Result<usize> {
        let [channels, side, width] = self.input.shape;
        if self.forward != FORWARD {
            bail!("`forward` is not the architecture known here, `{FORWARD}`");
        }
        if channels != 1 || side != width || side == 0 || !side.is_multiple_of(4) {
            bail!("`input.shape` is {:?}, not [1, s, s] with s a multiple of 4", self.input.shape);
        }
        Ok(side)
    }
}

impl Folder {
    /// Whether all three files are there.
    pub(crate) fn is_complete(folder: &Path) -> bool {
        [NETWORK, META, SAMPLES].iter().all(|name| folder.join(name).is_file())
    }

    /// Reads and checks all three files.
    pub(crate) fn read(folder: &Path, device: &Device) -> Result<Self> {
        let path = folder.join(META);
        let meta: Meta =
            serde_json::from_slice(&bytes(&path)?).with_context(|| path.display().to_string())?;
        let side = meta.side().with_context(|| path.display().to_string())?;
        let path = folder.join(NETWORK);
        let net = SmallNet::read(&bytes(&path)?, side, device)
            .with_context(|| path.display().to_string())?;
        let path = folder.join(SAMPLES);
        let (images, labels) =
            samples(&bytes(&path)?, side).with_context(|| path.display().to_string())?;
        Ok(Self { meta, net, images, labels })
    }

    /// Writes all three files, the network last: where it is, the others are.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).with_context(|| path.display().to_string())
        };
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        put(META, &serde_json::to_vec_pretty(&self.meta)?)?;
        put(SAMPLES, &self.archive()?)?;
        put(NETWORK, &self.net.write()?)
    }

    /// The domain of the images.
    pub(crate) fn domain(&self) -> Result<Domain> {
        let [channels, height, width] = self.meta.input.shape;
        Ok(Domain::image(channels, height, width)?)
    }

    /// The network as attacks see it.
    pub(crate) fn classifier(
        &self,
    ) -> Result<
        Frozen<
            SmallNet,
            Tensor<4>,
            impl Fn(&SmallNet, Tensor<4>) -> Tensor<2> + Send + Sync + use<>,
        >,
    > {
        Ok(Frozen::new(&self.net, self.domain()?, SmallNet::forward)?)
    }

    /// The images at these positions as rows.
    pub(crate) fn rows(&self, positions: &[usize], device: &Device) -> Tensor<2> {
        let features = self.meta.input.shape.iter().product();
        let row = |&at: &usize| &self.images[at * features..(at + 1) * features];
        let values: Vec<f32> = positions.iter().flat_map(row).copied().collect();
        Tensor::from_data(TensorData::new(values, [positions.len(), features]), device)
    }

    #[expect(clippy::default_trait_access, reason = "the type is of a crate behind npyz")]
    fn archive(&self) -> Result<Vec<u8>> {
        let mut file = Cursor::new(Vec::new());
        let mut archive = NpzWriter::new(&mut file);
        let [channels, height, width] = self.meta.input.shape.map(|size| size as u64);
        let count = self.labels.len() as u64;
        let mut x = archive
            .array("x", Default::default())?
            .default_dtype()
            .shape(&[count, channels, height, width])
            .begin_nd()?;
        x.extend(&self.images)?;
        x.finish()?;
        let mut y =
            archive.array("y", Default::default())?.default_dtype().shape(&[count]).begin_nd()?;
        y.extend(self.labels.iter().map(|&label| label as i64))?;
        y.finish()?;
        drop(archive);
        Ok(file.into_inner())
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

fn samples(bytes: &[u8], side: usize) -> Result<(Vec<f32>, Vec<usize>)> {
    let mut archive = NpzArchive::new(Cursor::new(bytes))?;
    let x = archive.by_name("x")?.context("no array `x`")?;
    let shape = x.shape().to_vec();
    let images: Vec<f32> = x.into_vec()?;
    let labels: Vec<i64> = archive.by_name("y")?.context("no array `y`")?.into_vec()?;
    let side = side as u64;
    if shape != [labels.len() as u64, 1, side, side] || labels.is_empty() {
        bail!("x {shape:?} and {} labels, not [n, 1, {side}, {side}] and n", labels.len());
    }
    if let Some(bad) = images.iter().find(|pixel| !(0.0..=1.0).contains(*pixel)) {
        bail!("a pixel is {bad}, not in [0, 1]");
    }
    let class = |label: i64| {
        let class = usize::try_from(label).ok().filter(|&class| class < CLASSES);
        class.with_context(|| format!("a label is {label}, not below {CLASSES}"))
    };
    Ok((images, labels.into_iter().map(class).collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::Seed;

    fn folder() -> Folder {
        let images = (0..3 * 64).map(|pixel| pixel as f32 / 192.0).collect();
        let net = SmallNet::new(8, Seed(1), &Device::flex()).unwrap();
        Folder { meta: Meta::new("small", 8, 0.2, 0.5), net, images, labels: vec![0, 9, 4] }
    }

    #[test]
    fn what_was_written_is_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new");
        assert!(!Folder::is_complete(&path));
        folder().write(&path).unwrap();
        assert!(Folder::is_complete(&path));
        let read = Folder::read(&path, &Device::flex()).unwrap();
        let Folder { meta, images, labels, .. } = folder();
        assert_eq!((read.meta, read.images, read.labels), (meta, images, labels));
    }

    #[test]
    fn a_wrong_file_is_named_with_what_is_wrong() {
        let place = tempfile::tempdir().unwrap();
        let told = |folder: &Folder| {
            folder.write(place.path()).unwrap();
            let error = Folder::read(place.path(), &Device::flex()).err().unwrap();
            format!("{error:#}").replace(&place.path().display().to_string(), "")
        };
        let bad = Folder { labels: vec![0, 10, 4], ..folder() };
        assert_eq!(told(&bad), "/eval.npz: a label is 10, not below 10");
        let mut bad = folder();
        bad.images[7] = 1.5;
        assert_eq!(told(&bad), "/eval.npz: a pixel is 1.5, not in [0, 1]");
        let bad = Folder { meta: Meta { forward: "fc".into(), ..folder().meta }, ..folder() };
        assert!(told(&bad).starts_with("/meta.json: `forward` is not the architecture"));
        let images = vec![0.5; 3 * 144];
        let bad = Folder { meta: Meta::new("a", 12, 0.2, 0.5), images, ..folder() };
        assert!(told(&bad).starts_with("/model.safetensors: `fc1.weight` has the shape"));
    }
}
