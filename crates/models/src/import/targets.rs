//! The places that tensors of a file must fill.
use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;

use crate::weights::Path;

/// One tensor of our network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// Its shape.
    pub(super) shape: Vec<usize>,
    /// Whether it is the weight of a linear layer: `[in, out]` here, `[out, in]` in `PyTorch`.
    pub(super) is_linear: bool,
}

/// The tensors of `module` in the order of its layers.
pub(super) fn of<M: Module>(module: &M) -> Vec<Target> {
    let mut visitor = Targets::default();
    module.visit(&mut visitor);
    visitor.found
}

#[derive(Default)]
struct Targets {
    path: Path,
    containers: Vec<String>,
    found: Vec<Target>,
}

impl ModuleVisitor for Targets {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
        self.containers.push(container.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let in_linear = self.containers.last().is_some_and(|name| name == "Struct:Linear");
        self.found.push(Target {
            name: self.path.name(),
            shape: param.lazy_shape().to_vec(),
            is_linear: in_linear && D == 2,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use duress_core::Domain;

    #[test]
    fn only_the_weights_of_linear_layers_are_transposed() {
        let domain = Domain::image(1, 8, 8).unwrap();
        let network = Architecture::ResNet { depth: 8 }.blank(&domain, 3, &Device::flex()).unwrap();
        let targets = of(&network);
        let linear: Vec<&str> = targets
            .iter()
            .filter(|target| target.is_linear)
            .map(|target| target.name.as_str())
            .collect();
        assert_eq!(linear, ["fc.weight"]);
        assert_eq!(targets[0].name, "conv.weight");
        assert!(targets.iter().any(|target| target.name == "blocks.1.shortcut.norm.running_var"));
    }
}
