//! The way from the clean row to a plane, for each norm.
use duress_core::{Halt, Norm};

use super::probe::{Probe, Room, sign, unit};

/// A way from the clean row, by the length gone in the threat model's norm.
pub(super) enum Path {
    /// Straight along a direction of length 1.
    Straight(Vec<f64>),
    /// One feature after the other to the end of its interval: each feature's step.
    Greedy(Vec<(usize, f64)>),
}

impl Path {
    /// The way on which a plane with this normal is nearest; `None` if nothing can move along it.
    pub(super) fn new(room: &Room, normal: Vec<f64>) -> Option<Self> {
        match room.norm {
            Norm::L0 | Norm::L1 => {
                let mut order = room.movable.clone();
                order.sort_by(|&a, &b| normal[b].abs().total_cmp(&normal[a].abs()));
                let step = |&feature: &usize| {
                    let end = if normal[feature] > 0.0 {
                        room.upper[feature]
                    } else {
                        room.lower[feature]
                    };
                    (feature, f64::from(end) - f64::from(room.clean[feature]))
                };
                let steps = order.iter().map(step).filter(|(_, step)| step.abs() > 0.0).collect();
                Some(Path::Greedy(steps))
            }
            Norm::L2 => Some(Path::Straight(normal)),
            Norm::Linf => {
                unit(normal.into_iter().map(sign).collect(), Norm::Linf).map(Path::Straight)
            }
        }
    }

    fn at(&self, room: &Room, length: f64) -> Vec<f32> {
        match self {
            Path::Straight(direction) => room.along(&room.clean, direction, length),
            Path::Greedy(steps) => {
                let (mut row, mut left) = (room.clean.clone(), length);
                for &(feature, step) in steps {
                    let part = step.abs().min(left.max(0.0));
                    row[feature] = room.clip(feature, f64::from(row[feature]) + part * sign(step));
                    left -= part;
                }
                row
            }
        }
    }

    /// The length at which nothing moves any more.
    fn end(&self, room: &Room) -> f64 {
        match self {
            Path::Straight(direction) => {
                let reach = |(feature, &step): (usize, &f64)| {
                    let end = if step > 0.0 { room.upper[feature] } else { room.lower[feature] };
                    let way = f64::from(end) - f64::from(room.clean[feature]);
                    if step == 0.0 { 0.0 } else { way / step }
                };
                direction.iter().enumerate().map(reach).fold(0.0, f64::max)
            }
            Path::Greedy(steps) => steps.iter().map(|(_, step)| step.abs()).sum(),
        }
    }

    /// Where the path first meets the goal: from the distance of `point` outwards in doublings, then
    /// a bisection. `None` if it does not meet it.
    pub(super) async fn boundary(
        &self,
        probe: &mut Probe<'_>,
        point: &[f32],
        tolerance: f64,
    ) -> Result<Option<Vec<f32>>, Halt> {
        let end = self.end(&probe.room);
        let (mut low, mut high) = (0.0, probe.distance(point).min(end));
        loop {
            if high <= 0.0 {
                return Ok(None);
            }
            if probe.meets(&self.at(&probe.room, high)).await? {
                break;
            }
            if high >= end {
                return Ok(None);
            }
            (low, high) = (high, (2.0 * high).min(end));
        }
        let length =
            probe.bisect((low, high), tolerance, |room, length| self.at(room, length)).await?;
        Ok(Some(self.at(&probe.room, length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From ½ with weights of 3 and 1: the larger feature goes to its end before the other moves.
    #[test]
    fn in_l1_the_largest_weight_moves_first() {
        let room = Room {
            clean: vec![0.5, 0.5],
            lower: vec![0.0; 2],
            upper: vec![1.0; 2],
            movable: vec![0, 1],
            side: 1.0,
            norm: Norm::L1,
        };
        let path = Path::new(&room, vec![1.0, -3.0]).unwrap();
        assert_eq!(path.at(&room, 0.25), [0.5, 0.25]);
        assert_eq!(path.at(&room, 0.75), [0.75, 0.0]);
        assert!((path.end(&room) - 1.0).abs() < 1e-12);
    }
}
