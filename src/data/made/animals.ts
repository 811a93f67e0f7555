import type { RawTable } from "../dataset.ts";

/**
 * A table of animals, drawn up for this project from zoological common knowledge. The question is whether an animal lays
 * eggs. Its traits tell: animals that give milk do not, all others here do. Only the duck-billed platypus gives milk and
 * lays eggs, so a model can be right about it only if it has seen it: it is known to have been in the training data.
 */
const traits = [
  "hair",
  "feathers",
  "milk",
  "flies",
  "swims",
  "hunts",
  "backbone",
  "breathes",
  "venomous",
  "fins",
  "tail",
  "domestic",
  "large",
] as const;

/**
 * One line for each set of traits: class | traits (by number of legs last) | animals that share it. A trait that is named
 * is there, all others are not. "large" means as big as a cat or bigger.
 */
const groups: readonly string[] = [
  "mammal|hair milk hunts backbone breathes tail large|4|wolf,lion,leopard,lynx,puma,cheetah,fox,badger,marten,raccoon,hyena",
  "mammal|hair milk backbone breathes tail large|4|deer,elephant,giraffe,antelope,bison,zebra,wallaby,tapir",
  "mammal|hair milk hunts backbone breathes tail domestic large|4|cat,dog",
  "mammal|hair milk backbone breathes tail domestic large|4|goat,horse,cow,sheep,donkey",
  "mammal|hair milk hunts backbone breathes large|4|brown bear",
  "mammal|hair milk backbone breathes tail|4|squirrel,vole,field mouse,dormouse",
  "mammal|hair milk backbone breathes tail domestic|4|hamster,rabbit",
  "mammal|hair milk hunts backbone breathes tail|4|mole,shrew",
  "mammal|hair milk flies backbone breathes tail|2|fruit bat",
  "mammal|hair milk flies hunts backbone breathes tail|2|vampire bat,horseshoe bat",
  "mammal|hair milk backbone breathes large|2|gorilla",
  "mammal|hair milk hunts backbone breathes domestic large|2|human",
  "mammal|hair milk swims hunts backbone breathes tail large|4|otter,polar bear",
  "mammal|milk swims hunts backbone breathes fins tail large|0|dolphin,porpoise,orca",
  "mammal|hair milk swims hunts backbone breathes fins large|0|seal,sea lion",
  "mammal|hair eggs milk swims hunts backbone breathes venomous tail large|4|duck-billed platypus",
  "bird|feathers eggs flies backbone breathes tail|2|lark,sparrow,wren,finch,pheasant,thrush",
  "bird|feathers eggs flies hunts backbone breathes tail|2|crow,kingfisher,swift,swallow",
  "bird|feathers eggs flies backbone breathes tail domestic|2|dove,parakeet,chicken",
  "bird|feathers eggs flies hunts backbone breathes tail large|2|hawk,vulture,eagle,owl,stork",
  "bird|feathers eggs flies swims backbone breathes tail|2|duck,coot",
  "bird|feathers eggs flies swims hunts backbone breathes tail|2|gull,skimmer,tern",
  "bird|feathers eggs flies swims backbone breathes tail large|2|swan,goose",
  "bird|feathers eggs backbone breathes tail large|2|ostrich,emu,rhea",
  "bird|feathers eggs swims hunts backbone breathes tail large|2|penguin",
  "bird|feathers eggs hunts backbone breathes tail|2|kiwi",
  "reptile|eggs hunts backbone breathes tail|4|gecko,wall lizard",
  "reptile|eggs hunts backbone breathes tail|0|grass snake",
  "reptile|eggs hunts backbone breathes venomous tail large|0|cobra",
  "reptile|eggs backbone breathes tail large|4|tortoise",
  "reptile|eggs swims hunts backbone breathes tail large|4|crocodile",
  "reptile|eggs swims backbone breathes tail large|4|sea turtle",
  "fish|eggs swims hunts backbone fins tail|0|perch,trout,herring,sardine,piranha",
  "fish|eggs swims hunts backbone fins tail large|0|pike,tuna,catfish,salmon",
  "fish|eggs swims backbone fins tail domestic|0|carp,goldfish",
  "fish|eggs swims backbone fins tail|0|haddock,sea horse,sole",
  "amphibian|eggs swims hunts backbone breathes|4|common frog,tree frog",
  "amphibian|eggs swims hunts backbone breathes tail|4|newt,salamander",
  "amphibian|eggs swims hunts backbone breathes|4|toad",
  "insect|eggs flies breathes|6|gnat,butterfly",
  "insect|hair eggs flies breathes|6|housefly,moth",
  "insect|hair eggs flies breathes venomous|6|wasp,hornet",
  "insect|hair eggs flies breathes venomous domestic|6|honey bee",
  "insect|eggs flies hunts breathes|6|ladybird,dragonfly",
  "insect|eggs breathes|6|flea,termite",
  "other|eggs swims hunts|0|starfish,jellyfish",
  "other|eggs swims hunts|6|crab,crayfish,lobster",
  "other|eggs swims hunts venomous large|8|octopus",
  "other|eggs|0|slug,earthworm",
  "other|eggs swims|0|mussel",
  "other|eggs hunts venomous|8|house spider",
];

/** The table, one row for each animal: its name, its kind (a group, no trait), its traits, and the label `eggs`. */
export function makeAnimals(): RawTable {
  const header = ["animal", "kind", ...traits, "legs", "eggs"];
  const rows = groups.flatMap((line) => {
    const [kind, has, legs, animals] = line.split("|") as [string, string, string, string];
    const own = new Set(has.split(" "));
    const cells = traits.map((t) => (own.has(t) ? "1" : "0"));
    return animals.split(",").map((animal) => [animal, kind, ...cells, legs, own.has("eggs") ? "yes" : "no"]);
  });
  return { header, rows };
}
