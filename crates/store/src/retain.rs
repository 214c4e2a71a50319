//! Retention.
use crate::error::StoreError;
use crate::store::Shared;
use scrimp_core::Time;

pub(crate) fn drop_old(_: &Shared, _: Time) -> Result<(), StoreError> {
    Ok(())
}
