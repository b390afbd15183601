// Package explore is a page to play with: an optimizer on a loss of two parameters, or on a small network, with its modified equations beside it.
//
// The page's script draws; whatever is a number comes from here, where a run of a config is carried out in memory for each question. So the page shows
// what `shadowflow run` records, and says by which command.
package explore
