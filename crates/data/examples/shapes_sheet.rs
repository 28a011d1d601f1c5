//! Draws a contact sheet of `shapes`, and measures how fast items are drawn.
//!
//! `cargo run -p inception-data --example shapes_sheet -- FILE.png [SIDE [ROWS [SEED]]]`

use inception_data::shapes::{Shapes, ShapesConfig, contact_sheet};
use inception_data::{Dataset, Split};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: usize| arguments.get(i).map_or(Ok(default), |a| a.parse());
    let path = arguments
        .first()
        .ok_or("usage: shapes_sheet FILE.png [SIDE [ROWS [SEED]]]")?;
    let config = ShapesConfig {
        side: number(1, 32)?,
        seed: number(3, 0)? as u64,
        ..ShapesConfig::default()
    };
    let shapes = Shapes::new(config, Split::Train)?;
    let mut sheet = contact_sheet(&shapes, 10, number(2, 4)?)?;
    // Grain does not compress; sixteen levels a channel are enough to see what is drawn.
    sheet.pixels.iter_mut().for_each(|v| *v = *v / 16 * 17);
    let file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        file,
        image::codecs::png::CompressionType::Best,
        image::codecs::png::FilterType::Adaptive,
    );
    image::ImageEncoder::write_image(
        encoder,
        &sheet.pixels,
        sheet.width as u32,
        sheet.height as u32,
        image::ExtendedColorType::Rgb8,
    )?;
    let (start, mut drawn) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < 1.0 {
        std::hint::black_box(shapes.get(drawn % shapes.len())?);
        drawn += 1;
    }
    println!(
        "{:.0} images/s",
        drawn as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}
