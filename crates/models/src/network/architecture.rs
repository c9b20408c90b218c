//! Architectures as values, and the table of them.
use burn::prelude::*;
use duress_core::{Domain, Layout, Seed};
use serde::{Deserialize, Serialize};

use super::count::Count;
use super::{
    Body, Committee, LeNet, Lipschitz, LipschitzLayer, Mlp, Network, ResNet, SmallCnn, WideResNet,
    resnet, wide_resnet,
};
use crate::{Error, Initialization, Result};

/// A network on paper: its name and its parameters, as in a configuration file.
///
/// All but `lipschitz` and `mlp` (and committees of it) need an image domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// [`Committee`]: several networks whose probabilities are averaged.
    Committee {
        /// What each member is; no committee itself.
        member: Box<Architecture>,
        /// Number of members, 1 to 1000.
        members: usize,
    },
    /// [`Mlp`]: fully connected layers on any domain.
    Mlp {
        /// Widths of the hidden layers, each positive; none for softmax regression.
        hidden: Vec<usize>,
    },
    /// [`SmallCnn`]: images of at least 8 by 8.
    SmallCnn {},
    /// [`LeNet`]: images of at least 16 by 16.
    #[serde(rename = "lenet")]
    LeNet {},
    /// [`Lipschitz`]: fully connected 1-Lipschitz layers on any domain.
    Lipschitz {
        /// How layers are kept from stretching distances.
        layer: LipschitzLayer,
        /// Width `W` of the hidden layers, even and positive.
        width: usize,
        /// Number of layers between the first and the last.
        depth: usize,
    },
    /// [`ResNet`].
    #[serde(rename = "resnet")]
    ResNet {
        /// 18, or `6n + 2` with `n ≥ 1` (8, 20, 32, …).
        depth: usize,
    },
    /// [`WideResNet`].
    #[serde(rename = "wide_resnet")]
    WideResNet {
        /// `6n + 4` with `n ≥ 1` (10, 16, 28, 34, …).
        depth: usize,
        /// Width factor `k`, at least 1.
        widen: usize,
    },
}

impl Architecture {
    /// The name in the table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Architecture::Committee { .. } => Committee::NAME,
            Architecture::Mlp { .. } => "mlp",
            Architecture::SmallCnn {} => SmallCnn::NAME,
            Architecture::LeNet {} => LeNet::NAME,
            Architecture::Lipschitz { .. } => Lipschitz::NAME,
            Architecture::ResNet { .. } => "resnet",
            Architecture::WideResNet { .. } => "wide_resnet",
        }
    }

    /// Number of trained parameters, computed on paper: weights, biases, and scales and shifts of
    /// batch norms, without their running statistics.
    ///
    /// # Errors
    /// As [`Architecture::init`].
    pub fn parameters(&self, domain: &Domain, classes: usize) -> Result<u64> {
        let plan = self.plan(domain, classes)?;
        plan.parameters(classes)?.total().ok_or_else(|| Error::Parameter {
            what: self.name(),
            field: "parameters",
            expected: "fewer than 2^64".into(),
            got: "more".into(),
        })
    }

    /// The network with He-normal weights drawn from `seed` (`Use::Weights`, one stream a
    /// parameter) and biases of zero: same seed, same bits.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a depth or a width that is not defined or no class;
    /// [`Error::TooSmall`]; [`duress_core::Error::NotAnImage`].
    pub fn init(
        &self,
        domain: &Domain,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Network> {
        self.init_by(Initialization::He, domain, classes, seed, device)
    }

    /// The network with weights drawn from `seed` by `initialization`.
    ///
    /// # Errors
    /// As [`Architecture::init`].
    pub fn init_by(
        &self,
        initialization: Initialization,
        domain: &Domain,
        classes: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Network> {
        initialization.draw(self.blank(domain, classes, device)?, seed)
    }

    /// The network with parameters that are not drawn yet.
    pub(crate) fn blank(
        &self,
        domain: &Domain,
        classes: usize,
        device: &Device,
    ) -> Result<Network> {
        self.parameters(domain, classes)?;
        let Plan { shape, body } = self.plan(domain, classes)?;
        let [channels, ..] = shape;
        let body = match body {
            Parts::Committee((member, members, _)) => {
                let networks = (0..members).map(|_| member.blank(domain, classes, device));
                Body::Committee(Committee::new(networks.collect::<Result<_>>()?))
            }
            Parts::Mlp(hidden) => Body::Mlp(Mlp::new(domain.features(), hidden, classes, device)),
            Parts::SmallCnn => Body::SmallCnn(SmallCnn::new(shape, classes, device)?),
            Parts::LeNet => Body::LeNet(LeNet::new(shape, classes, device)?),
            Parts::Lipschitz((layer, width, depth)) => {
                let sizes = [domain.features(), width, classes];
                Body::Lipschitz(Lipschitz::new(sizes, depth, layer, device))
            }
            Parts::ResNet(stages) => Body::ResNet(ResNet::new(stages, channels, classes, device)),
            Parts::WideResNet(parts) => {
                Body::WideResNet(WideResNet::new(parts, channels, classes, device))
            }
        };
        Ok(Network::new(body, shape))
    }

    /// Checks the parameters against the domain.
    fn plan(&self, domain: &Domain, classes: usize) -> Result<Plan<'_>> {
        let what = self.name();
        let fault = |field, expected: &str, got: usize| {
            Err(Error::Parameter { what, field, expected: expected.into(), got: got.to_string() })
        };
        if classes == 0 {
            return fault("classes", "at least 1", classes);
        }
        let body = match self {
            Architecture::Committee { member, members } => {
                if !(1..=1000).contains(members) {
                    return fault("members", "between 1 and 1000", *members);
                }
                if matches!(**member, Architecture::Committee { .. }) {
                    return Err(Error::Parameter {
                        what,
                        field: "member",
                        expected: "no committee".into(),
                        got: "a committee".into(),
                    });
                }
                let each = member.plan(domain, classes)?;
                let count = Count::zero().repeat(*members, each.parameters(classes)?);
                let body = Parts::Committee((member, *members, count));
                return Ok(Plan { shape: each.shape, body });
            }
            Architecture::Mlp { hidden } => {
                if let Some(&width) = hidden.iter().find(|&&width| width == 0) {
                    return fault("hidden", "positive widths", width);
                }
                let shape = flat_shape(domain);
                return Ok(Plan { shape, body: Parts::Mlp(hidden) });
            }
            Architecture::SmallCnn {} => Parts::SmallCnn,
            Architecture::LeNet {} => Parts::LeNet,
            Architecture::Lipschitz { layer, width, depth } => {
                if *width == 0 || !width.is_multiple_of(2) {
                    return fault("width", "even and positive", *width);
                }
                if *depth > 1000 {
                    return fault("depth", "at most 1000", *depth);
                }
                let body = Parts::Lipschitz((*layer, *width, *depth));
                return Ok(Plan { shape: flat_shape(domain), body });
            }
            Architecture::ResNet { depth } => match resnet::stages(*depth) {
                Some(stages) => Parts::ResNet(stages),
                None => return fault("depth", "18 or 6n + 2 with n ≥ 1", *depth),
            },
            Architecture::WideResNet { depth, widen } => match wide_resnet::blocks(*depth) {
                _ if *widen == 0 => return fault("widen", "at least 1", *widen),
                Some(blocks) => Parts::WideResNet((blocks, *widen)),
                None => return fault("depth", "6n + 4 with n ≥ 1", *depth),
            },
        };
        Ok(Plan { shape: domain.image_shape()?, body })
    }
}

/// An architecture whose parameters fit a domain.
struct Plan<'a> {
    shape: [usize; 3],
    body: Parts<'a>,
}

enum Parts<'a> {
    /// With the parameters of all members.
    Committee((&'a Architecture, usize, Count)),
    Mlp(&'a [usize]),
    SmallCnn,
    LeNet,
    /// Kind, width and depth.
    Lipschitz((LipschitzLayer, usize, usize)),
    ResNet((&'static [usize], usize)),
    WideResNet((usize, usize)),
}

impl Plan<'_> {
    fn parameters(&self, classes: usize) -> Result<Count> {
        let shape @ [channels, height, width] = self.shape;
        Ok(match self.body {
            Parts::Committee((_, _, count)) => count,
            Parts::Mlp(hidden) => Mlp::parameters(channels * height * width, hidden, classes),
            Parts::SmallCnn => SmallCnn::parameters(shape, classes)?,
            Parts::LeNet => LeNet::parameters(shape, classes)?,
            Parts::Lipschitz((layer, hidden, depth)) => {
                let sizes = [channels * height * width, hidden, classes];
                Lipschitz::parameters(sizes, depth, layer)
            }
            Parts::ResNet(stages) => ResNet::parameters(stages, channels, classes),
            Parts::WideResNet(parts) => WideResNet::parameters(parts, channels, classes),
        })
    }
}

fn flat_shape(domain: &Domain) -> [usize; 3] {
    match domain.layout() {
        Layout::Image { channels, height, width } => [channels, height, width],
        Layout::Waveform { channels, samples } => [channels, 1, samples],
        Layout::Table { features } => [1, 1, features],
    }
}

/// How a configuration file names an architecture.
#[derive(Debug)]
pub struct Entry {
    /// Name in configuration files and reports.
    pub name: &'static str,
    /// Where it is defined.
    pub reference: &'static str,
    /// Reads its parameters, without the name.
    pub parse: fn(toml::Table) -> Result<Architecture>,
}

/// Every architecture, in alphabetical order.
pub const ARCHITECTURES: &[Entry] = &[
    Entry {
        name: "committee",
        reference: "arXiv:1901.08846",
        parse: |table| parse("committee", table),
    },
    Entry {
        name: "lenet",
        reference: "LeCun et al., Proc. IEEE 86 (1998)",
        parse: |table| parse("lenet", table),
    },
    Entry {
        name: "lipschitz",
        reference: "arXiv:2208.03160, arXiv:2104.07167, arXiv:2303.03169",
        parse: |table| parse("lipschitz", table),
    },
    Entry {
        name: "mlp",
        reference: "Rumelhart, Hinton, Williams, Nature 323 (1986)",
        parse: |table| parse("mlp", table),
    },
    Entry { name: "resnet", reference: "arXiv:1512.03385", parse: |table| parse("resnet", table) },
    Entry {
        name: "small_cnn",
        reference: "arXiv:1711.00851",
        parse: |table| parse("small_cnn", table),
    },
    Entry {
        name: "wide_resnet",
        reference: "arXiv:1605.07146",
        parse: |table| parse("wide_resnet", table),
    },
];

/// The entry called `name`.
///
/// # Errors
/// [`Error::UnknownArchitecture`] with the names there are.
pub fn find(name: &str) -> Result<&'static Entry> {
    ARCHITECTURES.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let known: Vec<_> = ARCHITECTURES.iter().map(|entry| entry.name).collect();
        Error::UnknownArchitecture { name: name.into(), known: known.join(", ") }
    })
}

fn parse(name: &'static str, mut table: toml::Table) -> Result<Architecture> {
    table.insert("name".into(), name.into());
    table.try_into().map_err(|error: toml::de::Error| Error::Parse {
        what: name,
        reason: error.message().to_owned(),
    })
}
