//! Files of PyTorch: genuine ones, and those of somebody who means harm.

use crate::common::{STORAGE, bytes_of, fixture, pth, read, record, refused, tensor, zip};
use inception_formats::Format;
use inception_store::{Dtype, Limits};

#[test]
fn both_forms_of_a_state_dict_have_the_numbers_that_another_library_wrote() {
    let expected = inception_store::read_file(&fixture("expected.safetensors"), &Limits::default());
    let expected = expected.unwrap();
    for (name, format) in [
        ("state.pth", Format::Torch),
        ("state_legacy.pth", Format::TorchLegacy),
    ] {
        let found = inception_formats::read(&fixture(name), &Limits::default()).unwrap();
        assert_eq!(found.format, format);
        assert_eq!(found.warnings, Vec::<String>::new());
        assert!(found.tensors.names().eq(expected.names()), "{name}");
        for (key, entry) in expected.iter() {
            assert_eq!(found.tensors.tensor(key).unwrap(), entry, "{name}: {key}");
        }
    }
}

#[test]
fn the_state_dict_of_a_checkpoint_is_found() {
    let found = read(&bytes_of("checkpoint.pth"), "checkpoint.pth").unwrap();
    let names: Vec<&str> = found.tensors.names().collect();
    assert!(
        names.contains(&"module.0.weight") && names.len() == 7,
        "{names:?}"
    );
    let found = read(&bytes_of("sequential.pth"), "sequential.pth").unwrap();
    assert_eq!(
        found.tensors.tensor("1.num_batches_tracked").unwrap().dtype,
        Dtype::I64
    );
}

#[test]
fn what_is_no_state_dict_of_plain_tensors_is_refused_with_the_reason() {
    for (name, reason) in [
        ("module.pth", "save its `state_dict()` instead"),
        ("module_legacy.pth", "save its `state_dict()` instead"),
        ("script.pt", "contains code"),
        (
            "sparse.pth",
            "_rebuild_sparse_tensor, which is not supported",
        ),
        ("quantised.pth", "not supported"),
        ("meta.pth", "not supported"),
        ("complex.pth", "ComplexFloatStorage, which is not supported"),
        ("list.pth", "expected a state dict, found a list"),
        ("expanded.pth", "strides above zero"),
    ] {
        let (code, text) = refused(&bytes_of(name), name);
        assert!(code == 4 && text.contains(reason), "{name}: {code} {text}");
    }
}

#[test]
fn nothing_but_tensors_can_be_named() {
    for name in [
        "os\nsystem",
        "posix\nsystem",
        "builtins\neval",
        "__builtin__\neval",
        "builtins\ngetattr",
        "torch.hub\nload",
        "numpy\nload",
        "torch\nload",
        "torch.nn.modules.conv\nConv2d",
        "collections\nOrderedDict.fromkeys",
        "collections\nCounter",
        "torch._utils\n_import_dotted_name",
    ] {
        let canary = std::env::temp_dir().join("inception-canary-of-a-pickle");
        let command = format!("touch {}", canary.display());
        let mut pickle = format!("c{name}\n(").into_bytes();
        pickle.push(b'X');
        pickle.extend((command.len() as u32).to_le_bytes());
        pickle.extend(command.as_bytes());
        pickle.extend(b"tR.");
        let (code, text) = refused(&pth(&pickle), "x.pth");
        let shown = name.replace('\n', ".");
        assert!(code == 4 && text.contains(&shown), "{text}");
        assert!(!canary.exists());
    }
    for (operation, name) in [
        (&b"ios\nsystem\n."[..], "INST"),
        (b"(o.", "OBJ"),
        (
            b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.",
            "STACK_GLOBAL",
        ),
        (b")\x81.", "NEWOBJ"),
        (b")}\x92.", "NEWOBJ_EX"),
        (b"\x82\x01.", "EXT"),
        (b"\x8b\xff\xff\xff\x7f.", "LONG4"),
        (b"\x8d\x00\x00\x00\x00\x00\x00\x00\x80.", "BINUNICODE8"),
        (b"\x80\x02N.", "PROTO"),
    ] {
        let (code, text) = refused(&pth(operation), "x.pth");
        assert!(
            code == 4 && text.contains(name) && text.contains("(byte "),
            "{text}"
        );
    }
}

#[test]
fn a_view_must_lie_inside_its_storage() {
    let found = read(
        &pth(&tensor(b"K\x00", b"K\x02K\x02\x86", b"K\x01K\x02\x86")),
        "x.pth",
    );
    assert_eq!(
        found.unwrap().tensors.to_f32("w").unwrap(),
        [1.0, 3.0, 2.0, 4.0]
    );
    for (offset, shape, strides) in [
        (&b"K\x01"[..], &b"K\x04\x85"[..], &b"K\x01\x85"[..]),
        (b"K\x00", b"K\x02\x85", b"K\x04\x85"),
        (b"K\x00", b"K\x05\x85", b"K\x01\x85"),
        (b"K\x00", b"K\x02\x85", b"K\x00\x85"),
        (b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85"),
        (b"J\xff\xff\xff\xff", b"K\x02\x85", b"K\x01\x85"),
        (b"K\x00", b"K\x03K\x03\x86", b"K\x01K\x01\x86"),
        (b"K\x00", b"K\x02\x85", b"K\x01K\x01\x86"),
        (
            b"K\x00",
            b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x08\x86",
            b"K\x01K\x01\x86",
        ),
        (
            b"K\x00",
            b"(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t",
            b"(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t",
        ),
    ] {
        let (code, text) = refused(&pth(&tensor(offset, shape, strides)), "x.pth");
        assert_eq!(code, 4, "{text}");
    }
    let (_, text) = refused(&pth(&tensor(b"K\x01", b"K\x04\x85", b"K\x01\x85")), "x.pth");
    let said = "found shape [4], offset 1, strides [1] in a storage of 4 numbers";
    assert!(text.contains(said), "{text}");
}

#[test]
fn calls_and_attributes_fit_what_they_build() {
    let build_on_tensor = {
        let mut pickle = tensor(b"K\x00", b"K\x02\x85", b"K\x01\x85");
        let end = pickle.split_off(pickle.len() - 2);
        pickle.extend(b"}b");
        pickle.extend(end);
        pickle
    };
    for pickle in [
        &build_on_tensor[..],
        b"ccollections\nOrderedDict\nK\x01\x85R.",
        b"ctorch\nSize\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_parameter\n(NNNtR.",
        b"K\x01)R.",
        b"ctorch\nFloatStorage\n)R.",
        b"K\x01Q.",
        b"X\x07\x00\x00\x00storage\x85Q.",
        &[STORAGE, b"."].concat(),
    ] {
        let (code, text) = refused(&pth(pickle), "x.pth");
        assert_eq!(code, 4, "{text}");
    }
}

#[test]
fn a_broken_pickle_is_refused_where_it_breaks() {
    for (pickle, byte) in [
        (&b"a."[..], 2),
        (b"t.", 2),
        (b"(N\x86.", 4),
        (b"e.", 2),
        (b"h\x07.", 2),
        (b"N(.", 4),
        (b"NN.", 4),
        (b"N", 3),
        (b"", 2),
        (b"]Ns.", 4),
        (b"}Na.", 4),
        (b"}(Nu.", 5),
        (b"\xff.", 2),
        (b"X\x01\x00\x00\x00\xff.", 2),
    ] {
        let (code, text) = refused(&pth(pickle), "x.pth");
        assert!(
            code == 4 && text.ends_with(&format!("(byte {byte})")),
            "{pickle:?}: {text}"
        );
    }
    let (code, text) = refused(&pth(b"}.N."), "x.pth");
    assert!(
        code == 4 && text.contains("the end of the pickle, found more"),
        "{text}"
    );
    for protocol in [0, 1, 3, 4, 5] {
        let records = [record("a/data.pkl", [0x80, protocol, b'}', b'.'])];
        let (code, text) = refused(&zip(&records), "x.pth");
        assert!(code == 4 && text.contains("protocol 2"), "{text}");
    }
}

#[test]
fn size_and_depth_end_at_a_limit() {
    let deep = [b")".as_slice(), &b"\x85".repeat(1_100_000), b"."].concat();
    let lists = [b"(".repeat(70_000).as_slice(), b"."].concat();
    let values = [b"N".repeat(70_000).as_slice(), b"."].concat();
    for pickle in [
        &deep[..],
        &lists,
        &values,
        b"Nr\xff\xff\xff\x7f0.",
        b"X\xff\xff\xff\x7f.",
        &[b"}q\x00X\x01\x00\x00\x00ah\x00s.".as_slice()].concat(),
    ] {
        let (code, text) = refused(&pth(pickle), "x.pth");
        assert_eq!(code, 3, "{text}");
    }
    let (code, text) = refused(&pth(&vec![b'N'; 17 << 20]), "x.pth");
    assert!(code == 3 && text.contains("bytes of a pickle"), "{text}");
    // Deep, but inside the limit: it is dropped without a deep stack.
    let deep = [b"})".as_slice(), &b"\x85".repeat(900_000), b"Ns."].concat();
    std::thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || refused(&pth(&deep), "x.pth"))
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn an_archive_has_one_reading() {
    let good = pth(&tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85"));
    read(&good, "x.pth").unwrap();
    let data = || {
        record(
            "a/data.pkl",
            [
                b"\x80\x02".as_slice(),
                &tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85"),
            ]
            .concat(),
        )
    };
    let numbers = || record("a/data/0", [0; 16]);
    let named = |name: &[u8]| {
        let mut r = record("", [0; 16]);
        r.name = name.to_vec();
        r
    };
    let mut deflated = numbers();
    deflated.method = 8;
    let mut wrong = numbers();
    wrong.crc = Some(1);
    let cases = [
        (zip(&[data(), numbers(), numbers()]), "twice"),
        (zip(&[data(), deflated]), "stored record"),
        (zip(&[data(), wrong]), "CRC-32"),
        (
            zip(&[data(), record("a/data/0", [0; 15])]),
            "a record of 15 bytes",
        ),
        (
            zip(&[data(), record("a/data/0", [0; 17])]),
            "a record of 17 bytes",
        ),
        (zip(&[data()]), "no record of storage"),
        (zip(&[numbers()]), "data.pkl"),
        (zip(&[data(), numbers(), record("b/x", "")]), "one folder"),
        (zip(&[data(), numbers(), named(b"../x")]), "plain name"),
        (zip(&[data(), numbers(), named(b"/etc/x")]), "plain name"),
        (zip(&[data(), numbers(), named(b"a\\x")]), "plain name"),
        (zip(&[data(), numbers(), named(b"a/\0")]), "plain name"),
        (zip(&[data(), numbers(), named(b"a/\xff")]), "UTF-8"),
        (
            zip(&[data(), numbers(), record("a/byteorder", "middle")]),
            "byte order",
        ),
        ([good.as_slice(), b"x"].concat(), "end record"),
        ([b"x", good.as_slice()].concat(), "directory that ends"),
        ([good.as_slice(), &good].concat(), "directory that ends"),
        (b"PK\x03\x04".to_vec(), "end record"),
    ];
    for (bytes, reason) in cases {
        let (code, text) = refused(&bytes, "x.pth");
        assert!(code == 4 && text.contains(reason), "{text}");
    }
    let mut comment = good.clone();
    let end = comment.len();
    comment[end - 2] = 22;
    comment.extend(&good[good.len() - 22..]);
    assert_eq!(refused(&comment, "x.pth").0, 4);
    let mut crossed = good.clone();
    let local = crossed
        .windows(4)
        .rposition(|w| w == b"PK\x03\x04")
        .unwrap();
    crossed[local + 14] ^= 1;
    assert!(
        refused(&crossed, "x.pth")
            .1
            .contains("what the directory says")
    );
}

#[test]
fn a_checksum_that_was_left_out_is_worth_a_warning() {
    let mut numbers = record("a/data/0", [1.0_f32; 4].map(f32::to_le_bytes).concat());
    numbers.crc = Some(0);
    let pickle = [
        b"\x80\x02".as_slice(),
        &tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85"),
    ]
    .concat();
    let found = read(&zip(&[record("a/data.pkl", pickle), numbers]), "x.pth").unwrap();
    assert_eq!(found.warnings, ["\"a/data/0\" has no checksum"]);
}

#[test]
fn numbers_of_the_other_byte_order_are_turned_round() {
    let pickle = [
        b"\x80\x02".as_slice(),
        &tensor(b"K\x00", b"K\x02K\x02\x86", b"K\x02K\x01\x86"),
    ]
    .concat();
    let numbers = [1.0_f32, 2.0, 3.0, 4.0].map(f32::to_be_bytes).concat();
    let records = [
        record("a/data.pkl", pickle),
        record("a/byteorder", "big"),
        record("a/data/0", numbers),
    ];
    let found = read(&zip(&records), "x.pth").unwrap();
    assert_eq!(found.tensors.to_f32("w").unwrap(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn every_cut_of_both_forms_is_refused() {
    for name in ["sequential.pth", "state_legacy.pth"] {
        let bytes = bytes_of(name);
        for len in 0..bytes.len() {
            let (code, text) = refused(&bytes[..len], name);
            assert!(code == 4 || code == 3, "{len}: {text}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_tensor_is_found() {
    let bytes = bytes_of("sequential.pth");
    let numbers = read(&bytes, "x.pth")
        .unwrap()
        .tensors
        .to_f32("0.weight")
        .unwrap();
    let raw: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    let at = bytes.windows(raw.len()).position(|w| w == raw).unwrap();
    for bit in 0..raw.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[at + bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&flipped, "x.pth").1.contains("CRC-32"));
    }
}
