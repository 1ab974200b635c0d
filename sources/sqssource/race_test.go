//go:build race

package sqssource_test

// usualSchedules is fewer under the race detector, which takes ten times as
// long.
const usualSchedules = 50
