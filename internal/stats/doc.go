// Package stats infers from few and noisy numbers, those of a handful of seeds: intervals of means, and tests of differences, trends
// and signs that hold for small samples.
package stats
