use super::*;
use crate::{Dataset, Error, Input, Result};

const PETS: &str = r#"
name = "pets"
missing = "?"
[[column]]
name = "age"
kind = "number"
[[column]]
name = "id"
kind = "ignore"
[[column]]
name = "colour"
kind = "category"
immutable = true
[[column]]
name = "weight"
kind = "number"
[[column]]
name = "animal"
kind = "label"
[[class]]
name = "dog"
codes = ["d", "D"]
[[class]]
name = "cat"
"#;

fn open(schema: &str, text: &str) -> Result<Dataset> {
    dataset(&Schema::parse(schema)?, Input::new("pets.csv", text.as_bytes())?)
}

fn with(on_missing: &str) -> String {
    format!("on_missing = \"{on_missing}\"\n{PETS}")
}

#[test]
fn columns_become_features_in_order() {
    let set = open(PETS, "3,x,white, 1.5 ,d\r\n5,?,black,2,cat\n4,,red,0,D\n\n").unwrap();
    let names = ["age", "colour=black", "colour=red", "colour=white", "weight"];
    assert_eq!(set.feature_names(), names);
    assert_eq!(set.row(0), [3.0, 0.0, 0.0, 1.0, 1.5]);
    assert_eq!(set.row(1), [5.0, 1.0, 0.0, 0.0, 2.0]);
    assert_eq!(set.labels(), [0, 1, 0]);
    assert_eq!(set.class_names(), ["dog", "cat"]);
    assert_eq!(set.domain().immutable(), [1, 2, 3]);
    let bounds: Vec<_> =
        (0..5).map(|at| [set.domain().lower().at(at), set.domain().upper().at(at)]).collect();
    assert_eq!(bounds, [[3.0, 5.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 2.0]]);
}

/// Present ages 3, 5, 9, 11: the median is 7. Red is the most frequent colour.
#[test]
fn missing_values_follow_the_choice() {
    let text = "3,1,red,1,d\n?,2,black,1,d\n5,3,red,1,d\n9,4,?,1,d\n11,5,white,1,d\n";
    let error = open(PETS, text).unwrap_err().to_string();
    assert!(error.starts_with("pets.csv: line 2, column `age`: expected a value"), "{error}");
    let dropped = open(&with("drop_row"), text).unwrap();
    assert_eq!(dropped.len(), 3);
    assert_eq!(dropped.feature_names()[1..3], ["colour=red", "colour=white"]);
    let filled = open(&with("fill"), text).unwrap();
    assert_eq!(filled.row(1)[..1], [7.0]);
    assert_eq!(filled.row(3)[1..4], [0.0, 1.0, 0.0]);
    let label = open(&with("fill"), "3,1,red,1,?\n").unwrap_err();
    assert!(matches!(label, Error::Format { .. }), "{label}");
}

#[test]
fn a_tie_is_filled_with_the_first_value_in_order() {
    let text = "1,1,red,1,d\n1,2,black,1,d\n1,3,?,1,d\n";
    assert_eq!(open(&with("fill"), text).unwrap().row(2)[1..3], [1.0, 0.0]);
}

#[test]
fn a_fitted_schema_gives_all_parts_the_same_features() {
    let schema = Schema::parse(&with("fill")).unwrap();
    let train = "0,1,white,0,d\n10,2,black,4,cat\n2,3,black,0,d\n";
    let fitted = fit(&schema, Input::new("train", train.as_bytes()).unwrap()).unwrap();
    assert_eq!(Schema::parse(&toml::to_string(&fitted).unwrap()).unwrap(), fitted);
    let read = |text: &str| dataset(&fitted, Input::new("test", text.as_bytes()).unwrap());
    let test = read("?,9,?,1,cat\n").unwrap();
    assert_eq!(test.row(0), [2.0, 1.0, 0.0, 1.0]);
    assert_eq!(
        test.domain(),
        dataset(&schema, Input::new("t", train.as_bytes()).unwrap()).unwrap().domain()
    );
    let outside = read("11,9,white,1,cat\n").unwrap_err().to_string();
    assert_eq!(outside, "test: record 0, column `age`: expected a number in [0, 10], got 11");
    let unknown = read("1,9,green,1,cat\n").unwrap_err().to_string();
    assert!(unknown.ends_with("column `colour`: expected one of black, white, got green"));
}

#[test]
fn values_that_do_not_fit_name_line_and_column() {
    let row = |age: &str, label: &str| open(PETS, &format!("3,x,red,1,d\n{age},x,red,1,{label}\n"));
    assert!(row("4", "cat").is_ok());
    for age in ["nan", "inf", "-inf", "1e39", "", "four", "0x10"] {
        let error = row(age, "cat").unwrap_err().to_string();
        let expected =
            format!("pets.csv: line 2, column `age`: expected a finite number, got `{age}`");
        assert_eq!(error, expected);
    }
    assert!(matches!(row("4", "cow"), Err(Error::Label { record: 1, classes: 2, .. })));
    let short = open(PETS, "3,x,red,1,d\n3,x,red\n").unwrap_err().to_string();
    assert_eq!(short, "pets.csv: line 2: expected 5 values, got 3");
    let latin = Input::new("latin", &b"3,x,r\xe9d,1,d\n"[..]).unwrap();
    let error = dataset(&Schema::parse(PETS).unwrap(), latin).unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    assert!(matches!(open(PETS, "\n\n"), Err(Error::Empty { .. })));
}

#[test]
fn a_header_must_name_the_columns() {
    let schema = format!("header = true\n{PETS}");
    assert_eq!(open(&schema, "age,id,colour,weight,animal\n3,x,red,1,d\n").unwrap().len(), 1);
    let error = open(&schema, "age,id,color,weight,animal\n3,x,red,1,d\n").unwrap_err();
    let expected = "pets.csv: line 1: expected column name `colour`, got `color`";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn repeated_columns_open_classes_and_a_class_for_the_rest() {
    let base = "name = \"s\"\ndelimiter = \";\"\n[[column]]\nname = \"f\"\nkind = \"number\"\n\
                count = 3\n[[column]]\nname = \"y\"\nkind = \"label\"\n";
    let open_classes = open(base, "1;2;3;R\n4;5;6;M\n").unwrap();
    assert_eq!(open_classes.feature_names(), ["f_1", "f_2", "f_3"]);
    assert_eq!(
        (open_classes.class_names(), open_classes.labels()),
        (&["M".into(), "R".into()][..], &[1, 0][..])
    );
    let rest = format!(
        "{base}[[class]]\nname = \"normal\"\n[[class]]\nname = \"attack\"\nothers = true\n"
    );
    assert_eq!(open(&rest, "1;2;3;normal\n4;5;6;smurf\n").unwrap().labels(), [0, 1]);
}

#[test]
fn too_many_categories_and_too_many_features_are_refused() {
    let rows: Vec<_> = (0..2000).map(|row| format!("1,x,c{row},1,d\n")).collect();
    let text = rows.concat();
    let error = open(PETS, &text).unwrap_err().to_string();
    assert!(error.contains("at most 1024 values (`category_limit`), got 2000"), "{error}");
    let schema = Schema::parse(&format!("category_limit = 3000\n{PETS}")).unwrap();
    let input = || Input::new("wide", text.as_bytes()).unwrap();
    assert_eq!(dataset(&schema, input()).unwrap().features(), 2002);
    let small = input().with_limit(1 << 20);
    assert!(matches!(dataset(&schema, small), Err(Error::TooLarge { .. })));
}

#[test]
fn schemas_that_contradict_themselves_are_rejected() {
    let wrong = |from: &str, to: &str| {
        assert!(PETS.contains(from));
        let error = Schema::parse(&PETS.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(error, Error::Parameter { .. }), "{from} -> {to}: {error}");
    };
    wrong("kind = \"label\"", "kind = \"ignore\"");
    wrong("kind = \"ignore\"", "kind = \"label\"");
    wrong("name = \"id\"", "name = \"age\"");
    wrong("name = \"cat\"", "name = \"dog\"");
    wrong("name = \"cat\"", "name = \"cat\"\ncodes = [\"D\"]");
    wrong("kind = \"number\"", "kind = \"number\"\nvalues = [\"a\"]");
    wrong("kind = \"number\"", "kind = \"number\"\nrange = [1.0, 0.0]");
    wrong(
        "kind = \"number\"",
        "kind = \"number\"\ncount = 0\n[[column]]\nname=\"b\"\nkind=\"number\"\ncount = 70000",
    );
    wrong("kind = \"number\"", "kind = \"number\"\ncount = 18446744073709551615");
    wrong("kind = \"number\"", "kind = \"number\"\nfill = \"x\"");
    wrong("kind = \"category\"", "kind = \"category\"\nvalues = [\"a\", \"a\"]");
    wrong("kind = \"category\"", "kind = \"category\"\nrange = [0.0, 1.0]");
    wrong("missing = \"?\"", "missing = \"?\"\ndelimiter = \"é\"");
    wrong("missing = \"?\"", "missing = \"?\"\nunknown = 1");
}
