//! Requests for IKE SAs that do not run here: silence, unless it is certain that they run nowhere (RFC 6290).

use std::time::Instant;

use super::Responder;
use crate::fleet::qcd::{self, Token};
use crate::wire::{self, ExchangeType, Head, Header, Message, Notify, NotifyType, Payload};
use crate::{Dropped, IkeSpis, Path, What};

impl Responder {
    /// `spis` are those of the header, in our order.
    pub(super) fn handle_unknown(
        &mut self,
        now: Instant,
        path: Path,
        header: Header,
        octets: &[u8],
        spis: IkeSpis,
    ) {
        let is_request = !header.flags.response
            && matches!(
                header.exchange,
                ExchangeType::Informational | ExchangeType::CreateChildSa
            );
        let is_protected =
            || Message::decode_body(header, octets).is_ok_and(|message| message.encrypted.is_some());
        let token = match is_request && is_protected() {
            true => self.token_to_show(spis),
            false => None,
        };
        let Some(token) = token else {
            return self.out.report(path, Some(spis), None, Dropped::UnknownSpi);
        };
        if !self.shared.take_error(now) {
            return self.out.report(path, Some(spis), None, Dropped::TooManyErrors);
        }
        self.out.send(path, &answer(&header, &token));
        self.out.report(path, Some(spis), None, What::Disowned);
    }

    /// "A token maker MUST NOT send a valid QCD token in an unprotected message for an existing IKE SA", in a cluster neither
    /// (RFC 6290 section 9.2). Only the edge that issued the SPI may show it: it alone knows what is still in the making.
    fn token_to_show(&self, spis: IkeSpis) -> Option<Token> {
        let tokens = self.tokens.as_ref()?;
        let spi = spis.responder;
        let is_ours = self.spi_mask.slot_of(spi) == Some(self.config.slot);
        let runs_here = || self.half_open.get(spi).is_some() || self.established.contains_key(&spi);
        let is_known = || runs_here() || self.promised.contains(&spi);
        let is_certain = is_ours && !is_known() && self.host.is_ike_sa_gone(spi);
        is_certain.then(|| tokens.of(spis))
    }
}

/// Three octets longer than the shortest request.
fn answer(header: &Header, token: &Token) -> Vec<u8> {
    let unknown = Payload::Notify(Notify::new(NotifyType::INVALID_IKE_SPI, &[]));
    wire::encode(&Head::answering(header), &[unknown, qcd::notification(token)])
}
