//! `lotse images`: the images of a connection.

use std::process::ExitCode;

use lotse_api::{Image, ImageList};
use lotse_app::{App, Error};

use crate::{
    check::print_json,
    text::{Text, plain, print_line},
};

pub(crate) async fn list(text: &Text, app: &App, connection: &str, json: bool) -> Result<ExitCode, Error> {
    let list = ImageList::from(app.images(connection).await?);
    if json {
        print_json(&list);
        return Ok(ExitCode::SUCCESS);
    }
    for image in &list.images {
        let size = image.size.map(|size| text.bytes(size)).unwrap_or_default();
        let tags = image.tags.join(" ");
        let Image {
            id,
            region,
            status,
            name,
            ..
        } = image;
        print_line(&plain(&format!(
            "{id}  {region:14}  {status:10}  {size:>8}  {name}  {tags}"
        )));
    }
    let params: [(&str, &dyn std::fmt::Display); 2] =
        [("count", &list.images.len()), ("size", &text.bytes(list.total_size))];
    let key = if list.images.len() == 1 {
        "cli_images_total_one"
    } else {
        "cli_images_total"
    };
    anstream::eprintln!("{}", text.with(key, params));
    Ok(ExitCode::SUCCESS)
}
