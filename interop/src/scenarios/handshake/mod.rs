//! How a tunnel comes up, or is refused: IKE_SA_INIT, IKE_AUTH and what they agree on.

pub(crate) mod algorithms;
pub(crate) mod certificates;
pub(crate) mod childless;
pub(crate) mod customer_delete;
pub(crate) mod fragments;
pub(crate) mod ipv6;
pub(crate) mod ml_kem;
pub(crate) mod no_proposal;
pub(crate) mod ppk;
pub(crate) mod redirect;
pub(crate) mod selectors;
pub(crate) mod twice;
pub(crate) mod virtual_ip;
pub(crate) mod wrong_key;
