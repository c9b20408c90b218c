//! Two small public data sets compiled into the crate. Origin and licence: `data/README.md`.
use duress_core::Domain;

use crate::{
    Dataset, Input, Result,
    csv_table::{self, Schema},
    dataset::numbered,
    scale::MinMaxScaler,
};

/// Handwritten digits: 1,797 grey images `[1, 8, 8]`, 10 classes, in scikit-learn's order.
///
/// A pixel is the number of set bits in a 4 × 4 block of the scanned bitmap over 16, so in `[0,
/// 1]`.
///
/// E. Alpaydin, C. Kaynak. *Cascading Classifiers.* Kybernetika 34(4), 1998.
///
/// # Errors
/// None, unless the embedded file was damaged.
pub fn digits() -> Result<Dataset> {
    let mut schema =
        "name = \"digits\"\n[[column]]\nname = \"pixel\"\nkind = \"number\"\ncount = 64\n\
                      range = [0.0, 16.0]\n[[column]]\nname = \"digit\"\nkind = \"label\"\n"
            .to_owned();
    for digit in numbered(10) {
        schema.extend(["[[class]]\nname = \"", &digit, "\"\n"]);
    }
    let table = csv_table::dataset(&Schema::parse(&schema)?, Input::new("digits.csv.gz", DIGITS)?)?;
    let values = table.values().iter().map(|pixel| pixel / 16.0).collect();
    let labels = table.labels().to_vec();
    Dataset::new("digits", Domain::image(1, 8, 8)?, values, labels, numbered(10))
}

/// Breast cancer Wisconsin (diagnostic): 569 rows of 30 numbers; 0 malignant, 1 benign.
///
/// Each column is scaled to `[0, 1]` by its smallest and largest value over all 569 rows, so
/// that one ℓ∞ radius means the same share of the range in each column.
///
/// W. H. Wolberg, W. N. Street, O. L. Mangasarian. *Breast Cancer Wisconsin (Diagnostic).* UCI
/// Machine Learning Repository, 1995.
///
/// # Errors
/// None, unless the embedded file was damaged.
pub fn breast_cancer() -> Result<Dataset> {
    let raw = breast_cancer_raw()?;
    MinMaxScaler::fit(&raw)?.transform(&raw)
}

/// The rows of [`breast_cancer`] in the units of the file; the box is their range.
///
/// # Errors
/// None, unless the embedded file was damaged.
pub fn breast_cancer_raw() -> Result<Dataset> {
    let schema = Schema::parse(BREAST_CANCER_SCHEMA)?;
    // The first line holds counts and class names, in another format than the rows.
    let start = BREAST_CANCER.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let rows = &BREAST_CANCER[start..];
    csv_table::dataset(&schema, Input::new("breast_cancer.csv", rows)?)
}

// `data` is a link to the top-level `datasets` folder; packaging follows it.
const DIGITS: &[u8] = include_bytes!("../data/digits.csv.gz");
const BREAST_CANCER: &[u8] = include_bytes!("../data/breast_cancer.csv");
const BREAST_CANCER_SCHEMA: &str = include_str!("embedded/breast_cancer.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_files_are_the_published_ones() {
        let sum = |bytes: &[u8]| crate::dataset::hex(&Sha256::digest(bytes));
        assert_eq!(sum(DIGITS), "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22");
        let expected = "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed";
        assert_eq!(sum(BREAST_CANCER), expected);
    }

    /// Counts, first row and sum of all pixels (561,718) as scikit-learn's `load_digits` gives
    /// them.
    #[test]
    fn digits_are_those_of_scikit_learn() {
        let digits = digits().unwrap();
        let counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];
        assert_eq!(digits.label_histogram(), counts);
        assert_eq!(digits.labels()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
        let first = [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|pixel| pixel / 16.0);
        assert_eq!(digits.row(0)[..8], first);
        let sum: u32 = digits.values().iter().map(|&value| (value * 16.0) as u32).sum();
        assert_eq!(sum, 561_718);
        assert_eq!(digits.domain().image_shape().unwrap(), [1, 8, 8]);
    }

    #[test]
    fn breast_cancer_is_that_of_scikit_learn() {
        let raw = breast_cancer_raw().unwrap();
        assert_eq!((raw.len(), raw.features(), raw.label_histogram()), (569, 30, vec![212, 357]));
        assert_eq!(raw.class_names(), ["malignant", "benign"]);
        assert_eq!(raw.row(0)[..4], [17.99, 10.38, 122.8, 1001.0]);
        assert_eq!(
            (&raw.feature_names()[3][..], &raw.feature_names()[29][..]),
            ("mean area", "worst fractal dimension")
        );
        assert_eq!((raw.domain().lower().at(3), raw.domain().upper().at(3)), (143.5, 2501.0));
    }

    #[test]
    fn scaled_breast_cancer_fills_the_unit_box() {
        let (raw, scaled) = (breast_cancer_raw().unwrap(), breast_cancer().unwrap());
        for column in 0..30 {
            assert_eq!(
                (scaled.domain().lower().at(column), scaled.domain().upper().at(column)),
                (0.0, 1.0)
            );
        }
        let expected = (1001.0 - 143.5) / (2501.0 - 143.5);
        assert!((scaled.row(0)[3] - expected).abs() < 1e-6);
        assert_eq!(scaled.labels(), raw.labels());
    }
}
