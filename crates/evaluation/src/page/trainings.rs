//! The best and the last epoch of each training that was watched.
use crate::experiment::Checkpoint;
use crate::report::{Cell, Table};
use crate::row::{Measured, Row};

/// One line a model; `None` if no training was watched.
pub(super) fn table(rows: &[Row]) -> Option<Table> {
    let lines: Vec<Vec<Cell>> = rows
        .iter()
        .filter_map(|row| {
            let Measured::Clean { watched: Some(watched), .. } = &row.measured else {
                return None;
            };
            let used = match watched.used {
                Checkpoint::Best => "best",
                Checkpoint::Last => "last",
            };
            Some(vec![
                Cell::text(&row.model),
                Cell::text(watched.what()),
                Cell::text(watched.percent(&watched.best)),
                Cell::text(watched.best.epoch.to_string()),
                Cell::text(watched.percent(&watched.last)),
                Cell::text(watched.last.epoch.to_string()),
                Cell::text(used),
            ])
        })
        .collect();
    if lines.is_empty() {
        return None;
    }
    let columns =
        ["model", "watched", "at its best", "epoch", "at the end", "epoch", "weights used"];
    Some(Table {
        caption: "What was measured after each epoch of a training. An end below the best is \
                  overfitting; both weights are kept, and `checkpoint` of a [[model]] says which \
                  are used. The best is the best by these samples, so it flatters a little."
            .into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{clean, watched};

    #[test]
    fn a_training_that_was_watched_has_a_line_with_both_epochs() {
        assert!(table(&[clean("a", 90)]).is_none());
        let table = table(&[clean("a", 90), watched("b", 80, 71)]).unwrap();
        let cells = [
            "b",
            "robust accuracy on 100 validation samples at linf 0.1",
            "80.0 %",
            "12",
            "71.0 %",
            "30",
            "best",
        ];
        let [line] = &table.rows[..] else { panic!("one line") };
        let texts: Vec<&str> = line.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, cells);
        assert_eq!(table.columns.len(), cells.len());
    }
}
