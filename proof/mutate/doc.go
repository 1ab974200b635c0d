// Command mutate shows that the tests bite. It breaks the code in one place
// at a time, as its list of defects says, and runs the tests that are to
// notice: a defect that none of them catches is a property that nothing
// guards.
//
//	go run ./mutate -n 8 -o ../dist/mutations.md
//
// Nothing in the repository is changed: go builds with an overlay, the file
// with the defect in the place of the file. A check that caught a defect must
// pass without one, else it proves nothing; a defect whose text is not in its file
// any more, or that does not compile, is a failure of the program, so that the
// list stays true.
package main
