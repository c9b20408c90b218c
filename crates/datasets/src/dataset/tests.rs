use super::*;

fn four() -> Dataset {
    let values = vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
    let domain = Domain::image(1, 1, 2).unwrap();
    Dataset::new("four", domain, values, vec![1, 0, 1, 2], numbered(4)).unwrap()
}

#[test]
fn a_selection_keeps_the_original_ids() {
    let set = four().select(&[3, 1]).select(&[1, 0, 0]);
    assert_eq!(set.ids(), [1, 3, 3]);
    assert_eq!(set.labels(), [0, 2, 2]);
    assert_eq!(set.row(0), [0.2, 0.3]);
    assert_eq!(four().take(2).ids(), [0, 1]);
    assert_eq!(four().take(9), four());
}

#[test]
fn equality_does_not_depend_on_a_digest_that_was_asked_for() {
    let (asked, fresh) = (four(), four());
    assert_eq!(asked.digest().len(), 64);
    assert_eq!(asked, fresh);
    assert_ne!(asked, fresh.named("other"));
}

#[test]
fn batches_cover_each_sample_once() {
    let set = four();
    let sizes: Vec<_> = set.batches(3).map(|batch| batch.labels.len()).collect();
    assert_eq!(sizes, [3, 1]);
    let ids: Vec<_> = set.batches(0).flat_map(|batch| batch.ids.to_vec()).collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(set.batches(usize::MAX).len(), 1);
}

#[test]
fn rows_reach_the_device_unchanged() {
    let rows = four().rows(1..3, &Device::flex());
    assert_eq!(rows.dims(), [2, 2]);
    assert_eq!(duress_core::host::floats(rows).unwrap(), [0.2, 0.3, 0.4, 0.5]);
}

#[test]
fn the_histogram_counts_classes_without_samples_too() {
    assert_eq!(four().label_histogram(), [1, 2, 1, 0]);
}

/// Computed independently: SHA-256 of 2, 1, 2 as u64, 0.5 and 1.0 as f32, 1 and 0 as u64.
#[test]
fn the_digest_is_the_documented_one_and_sees_values_and_labels() {
    let set = |first, label| {
        let domain = Domain::image(1, 1, 1).unwrap();
        Dataset::new("a", domain, vec![first, 1.0], vec![label, 0], numbered(2)).unwrap()
    };
    let base = set(0.5, 1);
    assert_eq!(base.digest(), "7352657e52c21f9291a8e871f9d2ff05f44edfb68ba1001532867a7e25f3763f");
    assert_ne!(base.digest(), set(0.25, 1).digest());
    assert_ne!(base.digest(), set(0.5, 0).digest());
    assert_eq!(base.digest(), base.clone().named("b").digest());
    assert_ne!(base.digest(), base.take(1).digest());
}

#[test]
fn parts_that_do_not_fit_are_rejected() {
    let domain = || Domain::image(1, 1, 2).unwrap();
    let set = |values, labels| Dataset::new("a", domain(), values, labels, numbered(2));
    assert!(set(vec![0.0; 4], vec![0, 1]).is_ok());
    assert!(set(vec![], vec![]).unwrap().is_empty());
    assert!(set(vec![0.0; 3], vec![0, 1]).is_err());
    assert!(set(vec![0.0; 4], vec![0, 2]).is_err());
    assert!(set(vec![0.0, 0.0, f32::NAN, 0.0], vec![0, 1]).is_err());
    assert!(set(vec![0.0, 0.0, 1.5, 0.0], vec![0, 1]).is_err());
    assert!(four().with_feature_names(numbered(3)).is_err());
    assert_eq!(four().with_feature_names(numbered(2)).unwrap().feature_names(), ["0", "1"]);
}
