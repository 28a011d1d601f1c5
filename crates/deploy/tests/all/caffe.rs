//! Weights of Caffe's GoogLeNet.

use inception_deploy::convert::compare;
use inception_deploy::{LoadOptions, PredictorConfig, Weights};
use inception_nn::{Model, ModelOptions, Role};

/// A length-delimited field.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for mut n in [number << 3 | 2, content.len() as u64] {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }
    out.extend(content);
    out
}

/// Caffe's name of a layer.
fn layer(key: &str) -> String {
    let outer = match key {
        "conv1.conv" => "conv1/7x7_s2",
        "conv2.conv" => "conv2/3x3_reduce",
        "conv3.conv" => "conv2/3x3",
        "fc" => "loss3/classifier",
        "aux1.conv.conv" => "loss1/conv",
        "aux1.fc1" => "loss1/fc",
        "aux1.fc2" => "loss1/classifier",
        "aux2.conv.conv" => "loss2/conv",
        "aux2.fc1" => "loss2/fc",
        "aux2.fc2" => "loss2/classifier",
        _ => "",
    };
    if !outer.is_empty() {
        return outer.to_owned();
    }
    let (module, branch) = key
        .strip_prefix("inception")
        .unwrap()
        .split_once('.')
        .unwrap();
    let branch = match branch {
        "branch1.conv" => "1x1",
        "branch2.0.conv" => "3x3_reduce",
        "branch2.1.conv" => "3x3",
        "branch3.0.conv" => "5x5_reduce",
        "branch3.1.conv" => "5x5",
        "branch4.1.conv" => "pool_proj",
        other => panic!("{other}"),
    };
    format!("inception_{module}/{branch}")
}

#[test]
fn the_network_sees_blue_first_and_the_model_sees_red_first() {
    let options = ModelOptions {
        input: Some([3, 96, 96]),
        classes: Some(1000),
        ..ModelOptions::default()
    };
    let weights = Weights::random(Model::build("googlenet", &options).unwrap(), 5).unwrap();
    let state: Vec<_> = weights.parameters.state_dict().collect();
    // As Caffe saved it: the old form, four extents for every blob, blue first.
    let mut net = field(1, b"GoogleNet");
    for pair in state.chunks(2) {
        let key = pair[0].name.strip_suffix(".weight").unwrap();
        let mut content = field(4, layer(key).as_bytes());
        for tensor in pair {
            let mut data = tensor.data.clone();
            if tensor.name == "conv1.conv.weight" {
                for filter in data.chunks_mut(3 * 49) {
                    let red = filter[..49].to_vec();
                    filter.copy_within(98.., 0);
                    filter[98..].copy_from_slice(&red);
                }
            }
            let mut extents = vec![1; 4 - tensor.shape.len()];
            extents.extend(&tensor.shape);
            let mut blob = Vec::new();
            for (number, &extent) in (1_u8..).zip(&extents) {
                blob.push(number << 3);
                let low = extent as u8 & 0x7F;
                match extent {
                    0..0x80 => blob.push(low),
                    _ => blob.extend([low | 0x80, (extent >> 7) as u8]),
                }
            }
            let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
            blob.extend(field(5, &bytes));
            content.extend(field(6, &blob));
        }
        net.extend(field(2, &content));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bvlc_googlenet.caffemodel");
    std::fs::write(&path, &net).unwrap();
    let reading = LoadOptions {
        model_options: options,
        ..LoadOptions::default()
    };
    let mut back = Weights::load(&path, &reading).unwrap();
    assert_eq!(back.parameters, weights.parameters);
    let scale = |x: &f32| x * 255.0;
    let mean: Vec<f32> = back.preprocess.mean.iter().map(scale).collect();
    assert_eq!(mean, [123.0, 117.0, 104.0]);
    assert_eq!(back.preprocess.std, [1.0 / 255.0; 3]);
    assert!(
        weights
            .model
            .specs()
            .iter()
            .all(|(_, s)| s.role != Role::NormScale)
    );
    back.preprocess.clone_from(&weights.preprocess);
    let found = compare(weights, back, 1, 0, &PredictorConfig::default()).unwrap();
    assert_eq!(found.max_abs, 0.0);
    let cut = &net[..net.len() / 2];
    std::fs::write(&path, cut).unwrap();
    assert_eq!(Weights::load(&path, &reading).unwrap_err().exit_code(), 4);
}
