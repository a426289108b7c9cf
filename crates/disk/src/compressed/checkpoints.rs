//! Places in a compressed file where decoding can begin, in bounded memory however long the file is.

/// What is kept about such a place.
pub(super) trait Checkpoint {
    /// Memory that it takes, in bytes, its entry in the list included.
    fn memory(&self) -> usize;
}

/// Checkpoints by their offset in the output, in order. When they take more than they may, every other one goes, and
/// from then on they are taken half as often.
pub(super) struct Checkpoints<C> {
    places: Vec<(u64, C)>,
    spacing: u64,
    memory: usize,
    budget: usize,
}

impl<C: Checkpoint> Checkpoints<C> {
    /// None yet. `spacing` is output between two of them to begin with, `budget` memory, both in bytes.
    pub(super) fn new(spacing: u64, budget: usize) -> Self {
        Self {
            places: Vec::new(),
            spacing,
            memory: 0,
            budget,
        }
    }

    /// Is a checkpoint at this offset due?
    pub(super) fn wants(&self, out: u64) -> bool {
        let last = self.places.last().map_or(0, |(last, _)| *last);
        out >= last.saturating_add(self.spacing)
    }

    /// Adds one behind all others.
    pub(super) fn put(&mut self, out: u64, place: C) {
        self.memory = self.memory.saturating_add(place.memory());
        self.places.push((out, place));
        while self.memory > self.budget && self.places.len() > 1 {
            self.spacing = self.spacing.saturating_mul(2);
            let mut index = 0_usize;
            self.places.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.memory = self.places.iter().map(|(_, place)| place.memory()).sum();
        }
    }

    /// The last one at or before an offset of the output.
    pub(super) fn before(&self, out: u64) -> Option<(u64, &C)> {
        let index = self.places.partition_point(|(at, _)| *at <= out);
        let (at, place) = self.places.get(index.checked_sub(1)?)?;
        Some((*at, place))
    }

    /// The first one behind an offset of the output.
    pub(super) fn after(&self, out: u64) -> Option<(u64, &C)> {
        let index = self.places.partition_point(|(at, _)| *at <= out);
        self.places.get(index).map(|(at, place)| (*at, place))
    }

    /// Up to `count` of them from an offset of the output on.
    pub(super) fn from(&self, out: u64, count: usize) -> &[(u64, C)] {
        let start = self.places.partition_point(|(at, _)| *at < out);
        let rest = self.places.get(start..).unwrap_or_default();
        rest.get(..count.min(rest.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Checkpoint for () {
        fn memory(&self) -> usize {
            100
        }
    }

    #[test]
    fn memory_stays_bounded_and_places_evenly_spread() {
        let mut checkpoints = Checkpoints::new(10, 1000);
        for out in 0..100_000 {
            if checkpoints.wants(out) {
                checkpoints.put(out, ());
            }
            assert!(checkpoints.memory <= 1000);
        }
        for out in [50_000, 99_999] {
            let (before, ()) = checkpoints.before(out).unwrap();
            assert!(
                before <= out && out - before <= 2 * checkpoints.spacing,
                "{before} for {out}"
            );
        }
        assert!(checkpoints.spacing <= 20_480, "{}", checkpoints.spacing);
    }
}
