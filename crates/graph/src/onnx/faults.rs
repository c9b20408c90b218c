//! Files that are wrong, hostile or not understood.
use prost::Message;

use super::proto::{
    Attribute, Dimension, GraphProto, Model, NodeProto, OperatorSet, TensorProto, TensorShape,
    TensorType, TypeProto, ValueInfo,
};
use super::{Options, decode};
use crate::{Error, Operand};

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        name: Some(format!("{op} of {output}")),
        op_type: Some(op.into()),
        ..NodeProto::default()
    }
}

fn with_ints(mut node: NodeProto, name: &str, ints: &[i64]) -> NodeProto {
    let attribute =
        Attribute { name: Some(name.into()), ints: ints.to_vec(), ..Attribute::default() };
    node.attribute.push(attribute);
    node
}

fn value(name: &str, sides: &[Option<i64>]) -> ValueInfo {
    let side = |length: &Option<i64>| Dimension {
        dim_value: *length,
        dim_param: length.is_none().then(|| "N".into()),
    };
    let shape = TensorShape { dim: sides.iter().map(side).collect() };
    let tensor = TensorType { elem_type: Some(1), shape: Some(shape) };
    ValueInfo { name: Some(name.into()), kind: Some(TypeProto { tensor: Some(tensor) }) }
}

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(7),
        int64_data: values.to_vec(),
        name: Some(name.into()),
        ..TensorProto::default()
    }
}

/// A network of `x` `[sides]` and `y`.
fn model(sides: &[Option<i64>], nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> Model {
    Model {
        ir_version: Some(8),
        opset_import: vec![OperatorSet { domain: None, version: Some(17) }],
        graph: Some(GraphProto {
            node: nodes,
            initializer,
            input: vec![value("x", sides)],
            output: vec![value("y", &[None, None])],
            ..GraphProto::default()
        }),
        ..Model::default()
    }
}

fn read(model: &Model) -> Result<super::Imported, Error> {
    decode(&model.encode_to_vec(), None, &Options::default())
}

fn message(model: &Model) -> String {
    read(model).unwrap_err().to_string()
}

const ROWS: &[Option<i64>] = &[None, Some(6)];

#[test]
fn all_nodes_that_are_not_understood_are_listed_at_once_and_by_name() {
    let foreign = NodeProto { domain: Some("com.example".into()), ..node("Relu", &["b"], "c") };
    let nodes = vec![
        node("Fantasy", &["x"], "a"),
        node("Relu", &["a"], "b"),
        foreign,
        node("ArgMax", &["c"], "y"),
    ];
    let text = message(&model(ROWS, nodes, Vec::new()));
    assert!(text.starts_with("3 nodes are unsupported: "), "{text}");
    for part in ["Fantasy `Fantasy of a`", "com.example.Relu", "export the scores"] {
        assert!(text.contains(part), "{text}");
    }
    // An attribute that nobody has looked at would change the result without a word.
    let odd = with_ints(node("Relu", &["x"], "y"), "twist", &[1]);
    let odd = model(ROWS, vec![odd], Vec::new());
    assert!(message(&odd).contains("attribute `twist` is not understood"), "{}", message(&odd));
}

#[test]
fn a_node_behind_a_fault_is_not_blamed_for_it() {
    let nodes = vec![
        with_ints(node("Transpose", &["x"], "a"), "perm", &[1, 0]),
        node("Relu", &["a"], "b"),
        node("Tanh", &["b"], "y"),
    ];
    let text = message(&model(&[Some(2), Some(6)], nodes, Vec::new()));
    assert!(text.starts_with("1 node is unsupported: Transpose"), "{text}");
}

#[test]
fn cycles_and_values_from_nowhere_are_errors() {
    let cycle =
        vec![node("Add", &["x", "b"], "a"), node("Relu", &["a"], "b"), node("Tanh", &["b"], "y")];
    let text = message(&model(ROWS, cycle, Vec::new()));
    assert!(text.contains("no cycle") && text.contains("needs itself"), "{text}");
    let nowhere = vec![node("Add", &["x", "w"], "y")];
    let text = message(&model(ROWS, nowhere, Vec::new()));
    assert!(text.contains("nothing makes its operand `w`"), "{text}");
    let twice = vec![node("Relu", &["x"], "y"), node("Tanh", &["x"], "y")];
    assert!(message(&model(ROWS, twice, Vec::new())).contains("two of `y`"));
    // Nodes may come in any order.
    let turned = vec![node("Tanh", &["a"], "y"), node("Relu", &["x"], "a")];
    assert_eq!(read(&model(ROWS, turned, Vec::new())).unwrap().graph.nodes().len(), 3);
}

#[test]
fn samples_must_not_mix() {
    let reshaped = vec![node("Reshape", &["x", "s"], "y")];
    let whole = model(ROWS, reshaped.clone(), vec![ints("s", &[-1, 3])]);
    assert!(matches!(read(&whole).unwrap_err(), Error::Unsupported { .. } | Error::Mixes(_)));
    // With one sample, and one only, this is one row.
    let single = model(ROWS, reshaped.clone(), vec![ints("s", &[1, 6])]);
    assert!(matches!(read(&single).unwrap_err(), Error::Mixes(_)));
    let fixed = model(&[Some(1), Some(6)], reshaped, vec![ints("s", &[1, 6])]);
    assert_eq!(read(&fixed).unwrap().graph.output_shape(), [6]);
    let along = with_ints(node("ReduceSum", &["x", "a"], "y"), "keepdims", &[]);
    let text = message(&model(ROWS, vec![along], vec![ints("a", &[0])]));
    assert!(text.contains("samples would mix"), "{text}");
    let counted = vec![
        node("Shape", &["x"], "s"),
        NodeProto {
            attribute: vec![Attribute {
                name: Some("to".into()),
                i: Some(1),
                ..Attribute::default()
            }],
            ..node("Cast", &["s"], "f")
        },
        with_ints(node("ReduceSum", &["f"], "t"), "keepdims", &[]),
        node("Mul", &["x", "t"], "y"),
    ];
    let text = message(&model(ROWS, counted, Vec::new()));
    assert!(text.contains("depends on the size of the batch"), "{text}");
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let huge = vec![node("ConstantOfShape", &["s"], "c"), node("Add", &["x", "c"], "y")];
    let text = message(&model(ROWS, huge, vec![ints("s", &[1 << 20, 1 << 20])]));
    assert!(text.contains("2^26"), "{text}");
    let many: Vec<NodeProto> = (0..9)
        .flat_map(|at| {
            let [from, made, to] = [at, at, at + 1].map(|at| format!("a{at}"));
            let made = format!("{made} made");
            [node("ConstantOfShape", &["s"], &made), node("Add", &[&from, &made], &to)]
        })
        .chain([node("Relu", &["a9"], "y")])
        .collect();
    let mut many = model(&[Some(1), Some(1 << 24)], many, vec![ints("s", &[1 << 24])]);
    many.graph.as_mut().unwrap().input[0].name = Some("a0".into());
    let text = message(&many);
    assert!(text.contains("constants of more than 2^27 values"), "{text}");
    let wide = model(&[None, Some(1 << 40)], vec![node("Relu", &["x"], "y")], Vec::new());
    assert!(message(&wide).contains("2^26"), "{}", message(&wide));
    let mut doubled: Vec<NodeProto> = (0..40)
        .map(|at| {
            let (from, to) = (format!("v{at}"), format!("v{}", at + 1));
            let axis = Attribute { name: Some("axis".into()), i: Some(0), ..Attribute::default() };
            NodeProto { attribute: vec![axis], ..node("Concat", &[&from, &from], &to) }
        })
        .collect();
    doubled.push(node("Add", &["x", "v40"], "y"));
    let text = message(&model(ROWS, doubled, vec![ints("v0", &[1, 1])]));
    assert!(text.contains("2^26"), "{text}");
}

#[test]
fn paddings_beyond_all_numbers_are_refused() {
    for sides in [[0, i64::MIN, 0, 0], [0, i64::MAX, 0, i64::MAX], [0, -3, 0, -4]] {
        for mode in ["edge", "constant"] {
            let mut pad = node("Pad", &["x", "p"], "y");
            pad.attribute.push(Attribute {
                name: Some("mode".into()),
                s: Some(mode.into()),
                ..Attribute::default()
            });
            assert!(read(&model(ROWS, vec![pad], vec![ints("p", &sides)])).is_err(), "{sides:?}");
        }
    }
}

#[test]
fn what_is_no_network_is_an_error() {
    let text = |file: &[u8]| decode(file, None, &Options::default()).unwrap_err().to_string();
    assert!(text(b"").contains("an empty file"));
    assert!(text(b"hello, world").contains("expected"));
    let whole = model(ROWS, vec![node("Relu", &["x"], "y")], Vec::new()).encode_to_vec();
    for length in 1..whole.len() {
        // Cut anywhere: an error, or by chance a shorter network, and never a panic.
        let _ = decode(&whole[..length], None, &Options::default());
    }
    assert!(text(&whole[..whole.len() / 2]).contains("expected"));
    let old = Model {
        opset_import: vec![OperatorSet { domain: None, version: Some(3) }],
        ..model(ROWS, vec![node("Relu", &["x"], "y")], Vec::new())
    };
    assert!(message(&old).contains("version 7 to 22, got version 3"), "{}", message(&old));
    let open = model(&[None, None], vec![node("Relu", &["x"], "y")], Vec::new());
    assert!(message(&open).contains("export with a fixed input size"));
    let constant = model(ROWS, vec![node("Identity", &["w"], "y")], vec![ints("w", &[1])]);
    assert!(matches!(read(&constant).unwrap_err(), Error::ConstantOutput));
}

#[test]
fn an_input_or_output_among_several_is_chosen_by_name() {
    let mut several =
        model(ROWS, vec![node("Relu", &["x"], "y"), node("Tanh", &["y"], "z")], Vec::new());
    let graph = several.graph.as_mut().unwrap();
    graph.output.push(value("z", &[None, None]));
    let text = message(&several);
    assert!(text.contains("output: expected just one") && text.contains("y, z"), "{text}");
    let chosen = Options { output: Some("y".into()), ..Options::default() };
    let got = decode(&several.encode_to_vec(), None, &chosen).unwrap();
    assert_eq!(got.graph.nodes()[1].operands, [Operand::Node(0)]);
    assert_eq!(got.graph.nodes().len(), 2);
    let wrong = Options { output: Some("w".into()), ..Options::default() };
    assert!(decode(&several.encode_to_vec(), None, &wrong).is_err());
}
