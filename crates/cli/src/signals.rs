//! Stopping in good order.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What asks a long command to finish its step and save.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    /// Set by the first signal.
    pub(crate) flag: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens for signals: the first one asks, a second one ends the process at once.
    ///
    /// A closed terminal asks too, where there is such a signal.
    pub(crate) fn listen() -> Result<Self> {
        let stop = Self::default();
        #[cfg(unix)]
        outlive(signal_hook::consts::SIGXFSZ)?;
        for signal in signals() {
            let code = 128 + signal;
            // In this order: the first signal finds the flag unset.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&stop.flag))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.flag)))
                .and_then(|_| {
                    flag::register_usize(signal, Arc::clone(&stop.signal), signal as usize)
                })
                .context("cannot listen for signals")?;
        }
        Ok(stop)
    }

    /// The signal that asked; SIGTERM where none did.
    pub(crate) fn signal(&self) -> i32 {
        match self.signal.load(Ordering::Relaxed) {
            0 => SIGTERM,
            signal => signal as i32,
        }
    }
}

/// Lets a signal do nothing: what caused it is an error of the call as well.
#[cfg(unix)]
fn outlive(signal: i32) -> Result<()> {
    let heard = flag::register(signal, Arc::default());
    heard.map(drop).context("cannot listen for signals")
}

#[cfg(unix)]
fn signals() -> Vec<i32> {
    vec![SIGINT, SIGTERM, signal_hook::consts::SIGHUP]
}

#[cfg(not(unix))]
fn signals() -> Vec<i32> {
    vec![SIGINT, SIGTERM]
}
