// Package crash lets real processes die at every labelled boundary (package boundary) in the middle of every story, and holds each story's
// end against what it is without a crash. It has nothing but tests: a sample runs with all others, `make crash` runs every label in every
// story, `make crash-pairs` lets processes die twice in one story.
//
// A cell is one story told to an account of its own, with one label, or two, armed for that account alone. Hundreds of them are under way
// at the same time, while the workers die again and again. A cell counts as crashed only when a process wrote down that it dies of
// this label for this account, and ended with 137.
package crash
