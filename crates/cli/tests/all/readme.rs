//! The commands of the README run.

use crate::common::Place;

#[test]
fn the_commands_of_the_readme_run() {
    let readme = include_str!("../../README.md");
    let block = readme
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let commands = block.unwrap().lines();
    let place = Place::new();
    for command in commands {
        let words = command.strip_prefix("inception ").unwrap();
        place.run(words);
    }
}
