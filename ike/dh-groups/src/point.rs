//! Points of aws-lc's curves, each with an owner that frees it. aws-lc wipes whatever it frees.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EC_GROUP, EC_GROUP_get0_order, EC_POINT, EC_POINT_clear_free, EC_POINT_mul, EC_POINT_new,
    EC_POINT_oct2point, EC_POINT_point2oct, EC_group_p256, EC_group_p384, ERR_clear_error,
    point_conversion_form_t,
};
use zeroize::Zeroizing;

use crate::number::{MEMORY, Number};

/// The octet in front of x and y (SEC 1 section 2.3.3), which IKE leaves out.
const UNCOMPRESSED: u8 = 4;

/// A curve that aws-lc has built in.
#[derive(Clone, Copy)]
pub(crate) struct Curve {
    group: NonNull<EC_GROUP>,
    scalar_len: usize,
}

/// A number in [1, n), n being the order of the curve.
pub(crate) struct Scalar(Number);

impl Curve {
    pub(crate) fn p256() -> Self {
        // SAFETY: it takes nothing, and gives what lives as long as the process.
        Self::new(unsafe { EC_group_p256() }, 32)
    }

    pub(crate) fn p384() -> Self {
        // SAFETY: as above.
        Self::new(unsafe { EC_group_p384() }, 48)
    }

    fn new(group: *const EC_GROUP, scalar_len: usize) -> Self {
        Self {
            group: NonNull::new(group.cast_mut()).expect(MEMORY),
            scalar_len,
        }
    }

    /// Whether it is one is all that can be learnt from the time this takes.
    pub(crate) fn scalar(self, octets: &[u8]) -> Option<Scalar> {
        let number = (octets.len() == self.scalar_len).then(|| Number::new(octets))?;
        // SAFETY: it gives the order, which lives as long as the curve.
        let is_below_order = unsafe { number.is_below(EC_GROUP_get0_order(self.group.as_ptr())) };
        (is_below_order && !number.is_zero()).then_some(Scalar(number))
    }
}

/// A point of a curve that is not at infinity.
pub(crate) struct Point {
    curve: Curve,
    point: NonNull<EC_POINT>,
}

impl Point {
    fn new(curve: Curve) -> Self {
        // SAFETY: it gives a new point of the curve.
        let point = unsafe { EC_POINT_new(curve.group.as_ptr()) };
        Self {
            curve,
            point: NonNull::new(point).expect(MEMORY),
        }
    }

    /// From x and y; `None` when there is no such point.
    pub(crate) fn read(curve: Curve, coordinates: &[u8]) -> Option<Self> {
        let octets = [&[UNCOMPRESSED], coordinates].concat();
        let point = Self::new(curve);
        // SAFETY: it reads so many octets from there, and writes to the point, which is ours alone.
        let is_done = unsafe {
            EC_POINT_oct2point(
                curve.group.as_ptr(),
                point.point.as_ptr(),
                octets.as_ptr(),
                octets.len(),
                ptr::null_mut(),
            )
        };
        if is_done != 1 {
            // SAFETY: it takes nothing. What aws-lc notes of its errors belongs to this thread.
            unsafe { ERR_clear_error() };
            return None;
        }
        Some(point)
    }

    pub(crate) fn multiple_of_generator(curve: Curve, scalar: &Scalar) -> Self {
        Self::product(curve, Some(scalar), None)
    }

    pub(crate) fn multiple(&self, scalar: &Scalar) -> Self {
        Self::product(self.curve, None, Some((self, scalar)))
    }

    /// A multiple of the generator, or of a point.
    fn product(curve: Curve, of_generator: Option<&Scalar>, of_point: Option<(&Self, &Scalar)>) -> Self {
        let product = Self::new(curve);
        let number = |scalar: &Scalar| scalar.0.as_ptr();
        let (point, of_point) = of_point.map_or((ptr::null(), ptr::null()), |(point, scalar)| {
            (point.point.as_ptr().cast_const(), number(scalar))
        });
        // SAFETY: it writes to the product, which is ours alone, and reads the rest as far as it is there.
        let is_done = unsafe {
            EC_POINT_mul(
                curve.group.as_ptr(),
                product.point.as_ptr(),
                of_generator.map_or(ptr::null(), number),
                point,
                of_point,
                ptr::null_mut(),
            )
        };
        assert_eq!(is_done, 1, "the scalar is less than the order, and {MEMORY}");
        product
    }

    /// x and y, each of so many octets.
    pub(crate) fn coordinates(&self, length: usize) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new(vec![0; 1 + 2 * length]);
        // SAFETY: it writes no more than `octets` has.
        let written = unsafe {
            EC_POINT_point2oct(
                self.curve.group.as_ptr(),
                self.point.as_ptr(),
                point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED,
                octets.as_mut_ptr(),
                octets.len(),
                ptr::null_mut(),
            )
        };
        assert_eq!(written, octets.len(), "the point is not at infinity");
        octets.remove(0);
        octets
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        // SAFETY: it is ours alone, and not used any more.
        unsafe { EC_POINT_clear_free(self.point.as_ptr()) }
    }
}
