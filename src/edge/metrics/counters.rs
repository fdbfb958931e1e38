//! Counters of one family, told apart by the label `kind`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::kinds::Counted;

/// An atomic for each kind, in the order of [`Counted::ALL`].
#[derive(Debug)]
pub(crate) struct Counters<K>(Arc<[Counter]>, PhantomData<K>);

impl<K> Clone for Counters<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<K: Counted> Default for Counters<K> {
    fn default() -> Self {
        Self(K::ALL.iter().map(|_| Counter::default()).collect(), PhantomData)
    }
}

impl<K: Counted> Counters<K> {
    pub(super) fn add(&self, kind: K, number: u64) {
        if let Some(counter) = self.0.get(kind.index()) {
            counter.inc_by(number);
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(K::NAME, K::HELP, self.clone());
    }
}

impl<K: Counted> EncodeMetric for Counters<K> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (kind, counter) in K::ALL.iter().zip(&*self.0) {
            let labels = [("kind", kind.label())];
            counter.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}
