//! What several of the whole-program tests share.

#[cfg(target_os = "linux")]
pub mod e2e {
    //! A private desktop for the real window.
    pub mod desktop;
    pub mod window;
}
#[cfg(target_os = "linux")]
pub mod faults;
#[cfg(target_os = "linux")]
pub mod home;
#[cfg(target_os = "linux")]
pub mod keyring;
#[cfg(target_os = "linux")]
pub mod leaks;
#[cfg(target_os = "linux")]
pub mod process;
pub mod provided;
pub mod random;
#[cfg(target_os = "linux")]
pub mod scratch;
#[cfg(target_os = "linux")]
pub mod sending;
#[cfg(target_os = "linux")]
pub mod servers;
pub mod stored;
#[cfg(target_os = "linux")]
pub mod strangers;
#[cfg(target_os = "linux")]
pub mod tunnel;

/// Why a test could not go on; any error will do.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
