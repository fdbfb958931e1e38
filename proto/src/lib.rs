//! The fleet's one schema (generated from `proto/anyswan/v1/fleet.proto`) and its conversion to domain types.
