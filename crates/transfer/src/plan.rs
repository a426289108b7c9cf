//! Cuts a file into parts that a target accepts. Pure arithmetic: no file, no network.

use std::collections::BTreeMap;

use crate::target::Limits;

/// Part sizes are multiples of this: 1 MiB.
const STEP: u64 = 1 << 20;

/// Part size where nothing asks for more: 8 MiB, what the AWS CLI uses; 78 GiB fit into S3's 10,000 parts.
const DEFAULT_PART: u64 = 8 * STEP;

/// A file that a target cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {params:?}")]
pub struct PlanError {
    /// Stable code: `object_too_large`.
    pub code: &'static str,
    /// `size` and `max`, in bytes.
    pub params: BTreeMap<String, String>,
}

/// Size of every part but the last, in bytes: a multiple of 1 MiB, 8 MiB if the limits allow, never more than `max_parts` parts.
///
/// # Errors
/// `object_too_large` if the target takes no object of this size.
pub fn part_size(file_size: u64, limits: &Limits) -> Result<u64, PlanError> {
    let smallest = round_up(limits.min_part.max(1)).unwrap_or(u64::MAX);
    let largest = limits.max_part / STEP * STEP;
    let most = largest
        .saturating_mul(u64::from(limits.max_parts))
        .min(limits.max_object);
    let too_large = || PlanError {
        code: "object_too_large",
        params: BTreeMap::from([("size".into(), file_size.to_string()), ("max".into(), most.to_string())]),
    };
    if file_size > most || smallest > largest {
        return Err(too_large());
    }
    let needed = file_size.div_ceil(u64::from(limits.max_parts).max(1));
    let needed = round_up(needed).ok_or_else(too_large)?;
    Ok(DEFAULT_PART.max(needed).max(smallest).min(largest))
}

fn round_up(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(STEP)
}

/// Where each part of a file begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    file_size: u64,
    part_size: u64,
    count: u32,
}

/// One part of a [`Plan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedPart {
    /// Counted from 1.
    pub number: u32,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

impl Plan {
    /// `None` if there is nothing to cut, the part size is zero, or there would be more parts than `u32` can count.
    pub fn new(file_size: u64, part_size: u64) -> Option<Plan> {
        if file_size == 0 || part_size == 0 {
            return None;
        }
        let count = u32::try_from(file_size.div_ceil(part_size)).ok()?;
        Some(Plan {
            file_size,
            part_size,
            count,
        })
    }

    /// How many parts.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// How many parts, as a length.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// Bytes of the parts with these numbers together.
    pub(crate) fn size_of(&self, numbers: impl Iterator<Item = u32>) -> u64 {
        numbers
            .filter_map(|number| self.part(number))
            .map(|part| part.size)
            .sum()
    }

    /// The part with this number, counted from 1.
    pub fn part(&self, number: u32) -> Option<PlannedPart> {
        if number > self.count {
            return None;
        }
        let offset = u64::from(number.checked_sub(1)?).checked_mul(self.part_size)?;
        let size = self.file_size.checked_sub(offset)?.min(self.part_size);
        Some(PlannedPart { number, offset, size })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;
    /// S3 as its documentation gives it (and Ceph keeps it): 5 MiB to 5 GiB a part, 10,000 parts, 5 TiB.
    const S3: Limits = Limits {
        min_part: 5 * MIB,
        max_part: 5 << 30,
        max_parts: 10_000,
        max_concurrent: 10,
        max_object: 5 << 40,
    };

    #[test]
    fn ordinary_images_are_cut_into_8_mib() {
        assert_eq!(part_size(1, &S3), Ok(8 * MIB), "a small file needs no smaller parts");
        assert_eq!(
            part_size(10_000 * 8 * MIB, &S3),
            Ok(8 * MIB),
            "exactly 10,000 parts are allowed"
        );
        assert_eq!(
            part_size(10_000 * 8 * MIB + 1, &S3),
            Ok(9 * MIB),
            "one byte more needs larger parts"
        );
        assert_eq!(part_size(100_000_000_000, &S3), Ok(10 * MIB), "ccloud³'s largest image");
    }

    #[test]
    fn what_the_target_cannot_hold_is_told_before_anything_is_sent() {
        let error = part_size((5 << 40) + 1, &S3).unwrap_err();
        assert_eq!(error.code, "object_too_large");
        assert_eq!(error.params["max"], (5_u64 << 40).to_string());
    }

    proptest! {
        #[test]
        fn every_plan_keeps_the_limits(
            file in prop_oneof![0..1_u64 << 45, any::<u64>()],
            min in 0..20 * MIB,
            max in prop_oneof![0..100 * MIB, any::<u64>()],
            parts in prop_oneof![0..20_000_u32, any::<u32>()],
            object in any::<u64>(),
        ) {
            let limits = Limits { min_part: min, max_part: max, max_parts: parts, max_concurrent: 4, max_object: object };
            match part_size(file, &limits) {
                Ok(size) => {
                    prop_assert!(size >= min && size <= max && size > 0);
                    prop_assert_eq!(size % MIB, 0);
                    prop_assert!(file.div_ceil(size) <= u64::from(parts));
                    prop_assert!(file <= object);
                }
                Err(error) => {
                    prop_assert_eq!(error.code, "object_too_large");
                    let usable = max / MIB * MIB;
                    let fits = file <= object && file <= usable.saturating_mul(u64::from(parts)) && min.max(1).next_multiple_of(MIB) <= usable;
                    prop_assert!(!fits, "refused although it would fit");
                }
            }
        }

        #[test]
        fn the_parts_of_a_plan_cover_the_file_without_gap_or_overlap(file in 1..100_000_u64, part in 1..5_000_u64) {
            let plan = Plan::new(file, part).unwrap();
            let mut end = 0;
            for number in 1..=plan.count() {
                let planned = plan.part(number).unwrap();
                prop_assert_eq!(planned.offset, end);
                prop_assert!(planned.size > 0 && planned.size <= part);
                prop_assert!(planned.size == part || number == plan.count());
                end += planned.size;
            }
            prop_assert_eq!(end, file);
            prop_assert_eq!(plan.part(0), None);
            prop_assert_eq!(plan.part(plan.count() + 1), None);
        }
    }
}
