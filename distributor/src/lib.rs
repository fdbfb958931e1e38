//! The distributor: it orders, stores and streams what edges and operators publish.
