//! Known answers are written as in the RFCs: hexadecimal, in groups.

/// The octets of `digits`, white space left out.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    ike_types::hex::decode(&digits).expect("an even number of hexadecimal digits")
}
