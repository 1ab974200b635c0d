// Command report proves what can be proved and writes down how often. It runs
// the parts of the proof one after the other, each a goal of the Makefile:
// the exhaustive searches, the simulation, the histories, the crashes, the
// damaged files, the mutations and the fuzz targets. A part that fails does
// not keep the others from running.
//
//	go build -o dist/report ./proof/report && dist/report -quick
//
// What each part counted it writes as JSON, and from there it goes into the
// table that is printed, and into RELIABILITY.md between its marks. What a part
// said is in dist/proof, a log for each. Exit code 1 means that a part failed
// or could not be run, 130 that the run was interrupted.
package main
