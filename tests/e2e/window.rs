//! The program's window on a private desktop: its page through WebDriver, everything else by mouse and keyboard.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::desktop::Desktop;
use crate::Result;
use crate::process::Process;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How long the page may take to show what a test waits for.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// The window of a program that runs on a [`Desktop`]. Ends with its program when this is dropped.
#[derive(Debug)]
pub struct Window<'a> {
    desktop: &'a Desktop,
    title: String,
    page: Client,
    _driver: Process,
}

impl<'a> Window<'a> {
    /// Starts `program` and waits until the driver of WebKit has hold of its page.
    ///
    /// # Errors
    /// When WebKitWebDriver is missing or the program does not open a window of this title.
    pub async fn open(desktop: &'a Desktop, program: &Path, title: &str) -> Result<Self> {
        let port = free_port()?;
        let mut driver = desktop.command("WebKitWebDriver");
        driver.args([format!("--port={port}"), "--host=127.0.0.1".to_owned()]);
        driver
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true");
        let driver = Process::start(&driver)?;
        wait_for_port(port)?;
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "webkitgtk:browserOptions".to_owned(),
            json!({"binary": program, "args": []}),
        );
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let page = builder.connect(&format!("http://127.0.0.1:{port}")).await?;
        let window = Self {
            desktop,
            title: title.to_owned(),
            page,
            _driver: driver,
        };
        window.desktop.place(title)?;
        Ok(window)
    }

    /// The page, for everything that WebDriver can do.
    pub fn page(&self) -> &Client {
        &self.page
    }

    /// The element of this CSS selector, as soon as there is one.
    ///
    /// # Errors
    /// When there is none after 30 seconds.
    pub async fn element(&self, selector: &str) -> Result<Element> {
        let found = self
            .page
            .wait()
            .at_most(SHOWN_WITHIN)
            .for_element(Locator::Css(selector))
            .await;
        found.map_err(|error| format!("nothing on the page is `{selector}`: {error}").into())
    }

    /// Waits until the text of this element contains `text`, and returns the whole of it.
    ///
    /// # Errors
    /// When it does not after 30 seconds; the error tells what stood there instead.
    pub async fn text_with(&self, selector: &str, text: &str) -> Result<String> {
        let limit = Instant::now() + SHOWN_WITHIN;
        loop {
            let script = "const found = document.querySelector(arguments[0]); return found ? found.innerText : null";
            let shown = self.page.execute(script, vec![json!(selector)]).await?;
            let shown = shown.as_str().unwrap_or_default();
            if shown.contains(text) {
                return Ok(shown.to_owned());
            }
            if Instant::now() > limit {
                return Err(format!("`{selector}` never showed \"{text}\" but at last: {shown:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until this expression on the page has this text as its value.
    ///
    /// # Errors
    /// When it has not after 30 seconds; the error tells what it had instead.
    pub async fn page_says(&self, expression: &str, text: &str) -> Result {
        let limit = Instant::now() + SHOWN_WITHIN;
        loop {
            let said = self.page.execute(&format!("return {expression}"), vec![]).await?;
            if said == text {
                return Ok(());
            }
            if Instant::now() > limit {
                return Err(format!("`{expression}` never was \"{text}\" but at last: {said}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Drags files from another program and drops them in the middle of this element.
    ///
    /// # Errors
    /// When the element is not there or nothing takes the files.
    pub async fn drop_files(&self, paths: &[&Path], onto: &str) -> Result {
        let element = self.element(onto).await?;
        let script = "const r = arguments[0].getBoundingClientRect();
                      const middle = (from, to, end) => (Math.max(from, 0) + Math.min(to, end)) / 2;
                      return [middle(r.left, r.right, innerWidth), middle(r.top, r.bottom, innerHeight)].map(Math.round)";
        let middle = self.page.execute(script, vec![serde_json::to_value(element)?]).await?;
        let (Some(x), Some(y)) = (
            middle.get(0).and_then(Value::as_i64),
            middle.get(1).and_then(Value::as_i64),
        ) else {
            return Err(format!("`{onto}` is nowhere on the page: {middle}").into());
        };
        let (left, top) = self.desktop.place(&self.title)?;
        self.desktop.drop_files(paths, (left + x, top + y))
    }

    /// Closes the page and the program with it.
    ///
    /// # Errors
    /// When the driver does not answer any more.
    pub async fn close(self) -> Result {
        self.page.close().await?;
        Ok(())
    }
}

/// A port that nobody used a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn wait_for_port(port: u16) -> Result {
    let limit = Instant::now() + STARTS_WITHIN;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > limit {
            return Err("WebKitWebDriver does not answer".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
