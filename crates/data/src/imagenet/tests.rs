use super::mat::{Value, read_structs};
use inception_testkit::Miniature;

#[test]
fn the_kits_array_of_structs_is_read() {
    let miniature = Miniature::default();
    let structs = read_structs(&miniature.meta_mat(), "synsets").unwrap();
    assert_eq!(structs.len(), 21);
    for synset in miniature.synsets() {
        let fields = &structs[synset.ilsvrc_id - 1];
        assert_eq!(fields["WNID"], Value::Text(synset.wnid.to_owned()));
        assert_eq!(fields["words"], Value::Text(synset.words.to_owned()));
        assert_eq!(fields["num_children"], Value::Numbers(vec![0.0]));
        assert_eq!(fields["children"], Value::Numbers(vec![]));
    }
    let children: Vec<f64> = (1..=20).map(f64::from).collect();
    assert_eq!(structs[20]["children"], Value::Numbers(children));
}

#[test]
fn a_mat_file_cut_or_damaged_anywhere_is_an_error_or_another_answer_but_no_panic() {
    let miniature = Miniature {
        classes: 3,
        ..Miniature::default()
    };
    let whole = miniature.meta_mat();
    for end in 0..whole.len() {
        assert!(read_structs(&whole[..end], "synsets").is_err(), "{end}");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let _ = read_structs(&damaged, "synsets");
        }
    }
    let missing = read_structs(&whole, "categories").unwrap_err();
    assert_eq!(missing, "there is no array categories");
}
