//! One node of a file: its operands and its attributes.
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::Array;
use crate::lift::{Imported, Reason, Value, refuse};
use crate::onnx::proto::{Attribute, NodeProto, TensorProto};

/// A node, its operands looked up.
pub(super) struct Call<'a> {
    pub(super) name: String,
    pub(super) operator: &'a str,
    pub(super) opset: i64,
    /// Missing optional operands are `None`.
    pub(super) operands: Vec<Option<Value>>,
    pub(super) outputs: usize,
    attributes: HashMap<&'a str, &'a Attribute>,
    read: RefCell<HashSet<&'a str>>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        node: &'a NodeProto,
        opset: i64,
        name: String,
        operands: Vec<Option<Value>>,
    ) -> Self {
        let named = |attribute: &'a Attribute| Some((attribute.name.as_deref()?, attribute));
        Self {
            name,
            operator: node.op_type.as_deref().unwrap_or(""),
            opset,
            operands,
            outputs: node.output.iter().filter(|name| !name.is_empty()).count(),
            attributes: node.attribute.iter().filter_map(named).collect(),
            read: RefCell::default(),
        }
    }

    /// An operand that must be there.
    pub(super) fn operand(&self, index: usize) -> Imported<&Value> {
        match self.operands.get(index) {
            Some(Some(value)) => Ok(value),
            _ => refuse(format!("operand {index} is missing")),
        }
    }

    /// An operand that may be missing.
    pub(super) fn optional(&self, index: usize) -> Option<&Value> {
        self.operands.get(index).and_then(Option::as_ref)
    }

    /// An operand that must be a constant.
    pub(super) fn constant(&self, index: usize) -> Imported<&Array> {
        match self.operand(index)? {
            Value::Constant { array, .. } => Ok(array),
            _ => refuse(format!("operand {index} must not depend on the input")),
        }
    }

    /// An operand that is a constant, if it is there.
    pub(super) fn optional_constant(&self, index: usize) -> Imported<Option<&Array>> {
        match self.optional(index) {
            None => Ok(None),
            Some(_) => self.constant(index).map(Some),
        }
    }

    /// A constant operand of whole numbers, if it is there.
    pub(super) fn optional_integers(&self, index: usize) -> Imported<Option<Vec<i64>>> {
        let Some(array) = self.optional_constant(index)? else { return Ok(None) };
        array.values().iter().map(|&value| integer(value)).collect::<Imported<_>>().map(Some)
    }

    fn attribute(&self, name: &'static str) -> Option<&'a Attribute> {
        let found = self.attributes.get_key_value(name);
        found.map(|(name, attribute)| {
            self.read.borrow_mut().insert(name);
            *attribute
        })
    }

    pub(super) fn int(&self, name: &'static str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &'static str, default: f32) -> f64 {
        f64::from(self.attribute(name).and_then(|attribute| attribute.f).unwrap_or(default))
    }

    pub(super) fn optional_float(&self, name: &'static str) -> Option<f64> {
        self.attribute(name).and_then(|attribute| attribute.f).map(f64::from)
    }

    pub(super) fn text(&self, name: &'static str, default: &'static str) -> Imported<&'a str> {
        match self.attribute(name).and_then(|attribute| attribute.s.as_deref()) {
            None => Ok(default),
            Some(bytes) => std::str::from_utf8(bytes)
                .map_err(|_| Reason(format!("attribute `{name}` is no text"))),
        }
    }

    pub(super) fn ints(&self, name: &'static str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    pub(super) fn floats(&self, name: &'static str) -> Option<&'a [f32]> {
        self.attribute(name).map(|attribute| attribute.floats.as_slice())
    }

    pub(super) fn tensor(&self, name: &'static str) -> Option<&'a TensorProto> {
        self.attribute(name).and_then(|attribute| attribute.t.as_ref())
    }

    /// Whether there is an attribute of this name and kind.
    pub(super) fn has(&self, name: &'static str, kind: i32) -> bool {
        self.attribute(name).is_some_and(|attribute| attribute.kind == Some(kind))
    }

    /// Lengths an attribute gives, one a spatial axis.
    pub(super) fn lengths(
        &self,
        name: &'static str,
        default: usize,
        axes: usize,
    ) -> Imported<Vec<usize>> {
        let Some(given) = self.ints(name) else { return Ok(vec![default; axes]) };
        let lengths: Option<Vec<usize>> =
            given.iter().map(|&length| usize::try_from(length).ok()).collect();
        match lengths {
            Some(lengths) if lengths.len() == axes => Ok(lengths),
            _ => refuse(format!("attribute `{name}` must be {axes} lengths, got {given:?}")),
        }
    }

    /// Says that an attribute has no bearing on the result.
    pub(super) fn ignore(&self, name: &'static str) {
        let _ = self.attribute(name);
    }

    /// An attribute that no code has looked at: what it means would be lost.
    pub(super) fn unread(&self) -> Option<&'a str> {
        let read = self.read.borrow();
        let mut unread: Vec<&str> =
            self.attributes.keys().copied().filter(|name| !read.contains(name)).collect();
        unread.sort_unstable();
        unread.first().copied()
    }
}

impl AsRef<str> for Call<'_> {
    fn as_ref(&self) -> &str {
        &self.name
    }
}

/// A whole number that was read as a float; those beyond 2^63 are its ends.
pub(super) fn integer(value: f64) -> Imported<i64> {
    if value.fract() == 0.0 {
        Ok(value as i64)
    } else {
        refuse(format!("{value} is no whole number"))
    }
}
