//go:build !race

package sqssource_test

const usualSchedules = 200
