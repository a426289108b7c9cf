//! What several of the whole-program tests share.

#[cfg(target_os = "linux")]
pub mod e2e {
    //! A private desktop for the real window.
    pub mod desktop;
    mod process;
    pub mod window;
}
pub mod provided;
pub mod stored;

/// Why a test could not go on; any error will do.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
