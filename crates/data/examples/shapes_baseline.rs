//! Measures what simple models reach on `shapes`.
//!
//! `cargo run -p inception-data --example shapes_baseline`

use inception_data::baseline::{BaselineOptions, baselines};
use inception_data::shapes::{Shapes, ShapesConfig};
use inception_data::{DataError, Split};
use inception_tensor::Pool;

fn main() -> Result<(), DataError> {
    let shapes = |split| Shapes::new(ShapesConfig::default(), split);
    let (train, test) = (shapes(Split::Train)?, shapes(Split::Test)?);
    let found = baselines(&train, &test, &BaselineOptions::default(), &Pool::serial())?;
    println!("{found:#?}");
    Ok(())
}
