//! What the readers hand over, and how it becomes a data set.
use duress_core::{Bound, Domain, Layout};

use super::{Options, colour, labels, labels::Labels, resize, space};
use crate::{Dataset, Error, Result};

/// Samples as the file has them.
pub(super) struct Raw {
    /// What errors call the file.
    pub(super) file: String,
    /// How a row is arranged.
    pub(super) layout: Layout,
    /// Values, row-major, planes first, in the numbers of the file; at least those of the samples
    /// that a limit keeps.
    pub(super) values: Vec<f32>,
    /// What these numbers are.
    pub(super) numbers: Numbers,
    /// Labels of all samples, so that it shows which classes a limit leaves out.
    pub(super) labels: Labels,
    /// Box and immutable features, where a schema says them.
    pub(super) domain: Option<Domain>,
    pub(super) feature_names: Vec<String>,
    /// Places of the samples in the whole set, where a limit left out some between them.
    pub(super) ids: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Unsigned bytes.
    Bytes,
    /// Integers of another type.
    Integers,
    Floats,
}

impl Raw {
    /// Labels, units, box, colours and size as the options say, in that order.
    pub(super) fn finish(
        mut self,
        name: &str,
        options: &Options,
        classes: Option<&[String]>,
        notes: &mut Vec<String>,
    ) -> Result<Dataset> {
        let features = self.layout.features();
        let count = self.labels.len();
        if count == 0 || features == 0 {
            return Err(Error::Empty { file: self.file });
        }
        let kept = options.limit.map_or(count, |limit| limit.min(count));
        let needed = kept.saturating_mul(features);
        if self.values.len() < needed {
            let got = (self.values.len() / features).to_string();
            return Err(Error::format(self.file, "rows", format!("{count}, one a label"), got));
        }
        self.values.truncate(needed);
        let mut name = name.to_owned();
        if self.ids.is_some() {
            name = format!("{name}[..{count}]");
        }
        if let Some(limit) = options.limit.filter(|&limit| limit < count) {
            let before = self.labels.distinct();
            self.labels.truncate(limit);
            let after = self.labels.distinct();
            if after < before {
                notes.push(format!(
                    "the first {limit} of {count} samples are of {after} of the {before} classes: \
                     if the file is sorted by class, shuffle it or raise `limit`"
                ));
            }
            name = format!("{name}[..{limit}]");
        }
        // What is said of labels that nobody gave helps nobody.
        let mut unsaid = Vec::new();
        let about = if options.unlabelled { &mut unsaid } else { &mut *notes };
        let (labels, classes) =
            labels::resolve(&self.file, self.labels, classes, options.label_offset, about)?;
        if let Some(at) = self.values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                file: self.file,
                record: at / features,
                feature: at % features,
                value: self.values[at].to_string(),
            });
        }
        let is_image = matches!(self.layout, Layout::Image { .. });
        for (field, given) in
            [("channels", options.channels.is_some()), ("resize", options.resize.is_some())]
        {
            if given && !is_image {
                let expected = "left out: the data are no pictures";
                return Err(Error::parameter(field, expected, "a value"));
            }
        }
        let mut domain = match self.domain.take() {
            Some(domain) if options.bounds.is_none() && options.units.is_none() => domain,
            domain => {
                let (lower, upper) = space::fit(
                    &self.file,
                    self.layout,
                    self.numbers,
                    &mut self.values,
                    options,
                    notes,
                )?;
                let immutable = domain.map(|domain| domain.immutable().to_vec());
                Domain::new(self.layout, lower, upper)?
                    .with_immutable(immutable.unwrap_or_default())?
            }
        };
        let mut values = self.values;
        if is_image {
            let range = (domain.lower().at(0), domain.upper().at(0));
            let mut shape = domain.image_shape()?;
            if let Some(size) = options.resize {
                let bytes = self.numbers == Numbers::Bytes;
                (values, shape) = resize::resize(&self.file, values, shape, size, range, bytes)?;
            }
            if let Some(channels) = options.channels {
                (values, shape) = colour::convert(&self.file, values, shape, channels, range)?;
            }
            let [channels, height, width] = shape;
            let layout = Layout::Image { channels, height, width };
            domain = Domain::new(layout, Bound::Uniform(range.0), Bound::Uniform(range.1))?;
        }
        let set = Dataset::new(name, domain, values, labels, classes)?;
        let set = match self.ids {
            Some(ids) => set.with_ids(ids),
            None => set,
        };
        if self.feature_names.is_empty() {
            Ok(set)
        } else {
            set.with_feature_names(self.feature_names)
        }
    }
}
