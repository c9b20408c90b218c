//! One page with every kind of figure: checked on each run, written to disk on request.
use duress_metrics::Proportion;

use super::{
    Cell, Drawing, Example, Finding, Gallery, Interpolation, Page, Prediction, Severity, Table,
    changes::tests::{changes, feature},
    dot_plot::tests::plot,
    heatmap::tests::heat_map,
    line_chart::tests::chart,
    scatter::tests::{model, scatter},
};

fn drawings() -> Vec<(&'static str, Drawing)> {
    let models = [
        ("standard", 952, 3, 1.0),
        ("PGD training", 858, 511, 9.0),
        ("TRADES", 849, 527, 12.0),
        ("MART", 836, 530, 11.0),
        ("fast FGSM", 838, 462, 2.0),
        ("randomised smoothing", 770, 380, 3.0),
        ("JPEG defence", 905, 12, 1.0),
        ("distillation", 940, 4, 2.0),
    ];
    let models = models.map(|(name, clean, robust, cost)| model(name, clean, robust, cost));
    let names = ["mlp", "lenet", "resnet18", "wide_resnet", "vit"];
    let long = ["wide_resnet_28_10_adversarial", "resnet18_standard", "vit_tiny_patch4", "mlp"];
    let features = vec![
        feature("mean radius", 14.2, 15.9, 21.1),
        feature("worst concave points", 0.18, 0.131, 0.29),
        feature("a feature with a name that is far too long for its column", 3.0, 2.0, 4.0),
        feature("area error", 23.5, 29.75, 535.0),
        feature("smoothness", 0.0965, 0.0965, 0.11),
    ];
    [
        ("lines", chart(4, Interpolation::Linear).draw()),
        ("lines-7", chart(7, Interpolation::Linear).draw()),
        ("steps", chart(3, Interpolation::Step).draw()),
        ("dots", plot(10, 4).draw()),
        ("scatter", scatter(models.to_vec()).draw()),
        ("transfer", heat_map(&names).draw()),
        ("transfer-long", heat_map(&long).draw()),
        ("changes", changes(features, 10).draw()),
    ]
    .map(|(name, drawing)| (name, drawing.unwrap()))
    .to_vec()
}

/// Rings and ramps, disturbed by a checkerboard of ±8/255.
fn gallery(channels: usize, side: usize, examples: usize) -> Gallery {
    let example = |number: usize| {
        let value = |index: usize| {
            let (plane, y, x) = (index / (side * side), index / side % side, index % side);
            let (y, x) = (y as f32 / side as f32, x as f32 / side as f32);
            let ring = ((x - 0.5).hypot(y - 0.5) * (12.0 + number as f32)).sin();
            (0.5 + 0.3 * ring + 0.2 * (plane as f32 - 1.0) * x).clamp(0.0, 1.0)
        };
        let clean: Vec<f32> = (0..channels * side * side).map(value).collect();
        let disturb = |(index, &value): (usize, &f32)| {
            let sign = if (index / 3 + index / side / 2).is_multiple_of(2) { 1.0 } else { -1.0 };
            (value + sign * 8.0 / 255.0).clamp(0.0, 1.0)
        };
        let adversarial = clean.iter().enumerate().map(disturb).collect();
        let answer = |label: &str, confidence| Prediction { label: label.into(), confidence };
        Example {
            clean,
            adversarial,
            truth: "automobile".into(),
            before: answer("automobile", 0.982),
            after: answer("truck", 0.997),
            distance: "L∞ 0.0314 (8/255)".into(),
        }
    };
    Gallery {
        title: "Adversarial examples, PGD, L∞ 8/255".into(),
        shape: [channels, side, side],
        range: (0.0, 1.0),
        examples: (0..examples).map(example).collect(),
    }
}

fn page() -> Page {
    let row = |name: &str, clean: u64, robust: u64| {
        let rate = |successes| Cell::rate(Proportion::new(successes, 1000).unwrap());
        let cells = [Cell::text(name), rate(clean), rate(robust + 40), rate(robust)];
        let cost = Cell::text(format!("{} s", 3 * clean));
        [cells.to_vec(), vec![cost]].concat()
    };
    let columns = ["Model", "Clean", "PGD-40", "Worst case", "Time"].map(str::to_owned).to_vec();
    let table = Table {
        caption: "1000 test samples, L∞ 8/255; below each rate its 95 % Wilson interval.".into(),
        columns,
        rows: vec![row("standard", 952, 3), row("TRADES", 849, 527), row("PGD training", 858, 511)],
    };
    let finding = |severity, text: &str| Finding { severity, text: text.into() };
    let findings = [
        finding(
            Severity::Warning,
            "Square attack beats PGD on 12 samples: gradients may be masked.",
        ),
        finding(Severity::Note, "The clean accuracy of the standard model rests on 1000 samples."),
        finding(Severity::Good, "No attack left the ball."),
    ];
    let verdict = "The best model keeps 52.70 % of 1000 samples correct in the worst case over \
                   five attacks; the undefended one keeps 0.30 %.";
    let scope = "CIFAR-10 test, first 1000 samples · L∞ 8/255 · white box · seed 0";
    let mut page =
        Page::new("Robustness of three CIFAR-10 models", (Severity::Warning, verdict), scope)
            .findings("Before you trust these numbers", &findings)
            .table("Comparison", &table)
            .unwrap();
    for (name, drawing) in drawings() {
        page =
            page.figure(&drawing, &format!("Figure “{name}”. {}", drawing.description())).unwrap();
    }
    let examples = gallery(3, 32, 3).png().unwrap();
    page.picture(&examples, "clean and adversarial pictures", "The first three broken samples.")
        .repeat(
            &[("model", "resnet18.safetensors, SHA-256 3f2a9c…"), ("device", "cpu"), ("seed", "0")],
            "duress evaluate experiments/cifar10.toml --device cpu --seed 0 --out rows.jsonl",
        )
}

#[test]
fn every_figure_becomes_a_picture_and_goes_onto_one_page() {
    let (mut count, text) = (0, page().render());
    for (name, drawing) in drawings() {
        let picture = image::load_from_memory(&drawing.png().unwrap()).unwrap().into_rgb8();
        let (width, height) = drawing.size();
        assert_eq!(picture.width(), (2.0 * width).ceil() as u32, "{name}");
        assert_eq!(picture.height(), (2.0 * height).ceil() as u32, "{name}");
        // Text is there: dark pixels on light paper.
        assert!(picture.pixels().filter(|pixel| pixel.0[1] < 0x60).count() > 100, "{name}");
        count += 1;
    }
    assert_eq!(text.matches("<svg ").count(), count);
    assert_eq!(text.matches("data:image/png;base64,").count(), 1);
}

/// A sign that is not in the font has the width of its empty box, like any Chinese character.
#[test]
fn the_embedded_font_has_the_signs_of_our_captions() {
    let style = super::drawing::TextStyle::new(13.0, super::palette::INK);
    let width = |text: char| super::drawing::text_width(&text.to_string(), style);
    let missing = width('\u{4E00}');
    for sign in "ε∞≤≥×–…·±%".chars() {
        assert!((width(sign) - missing).abs() > 1e-9, "{sign}");
    }
}

#[test]
#[ignore = "writes pictures to the temporary folder, to be looked at"]
fn samples_to_look_at() {
    let folder = std::env::temp_dir().join("duress-report-samples");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    for (name, drawing) in drawings() {
        write(&format!("{name}.png"), &drawing.png().unwrap());
        write(&format!("{name}.svg"), drawing.svg().unwrap().as_bytes());
    }
    write("gallery-rgb.png", &gallery(3, 32, 3).png().unwrap());
    write("gallery-grey.png", &gallery(1, 28, 2).png().unwrap());
    write("page.html", page().render().as_bytes());
}
