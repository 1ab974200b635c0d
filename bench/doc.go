// Package bench compares onlyonce, side by side, with other ways to do the same work.
//
// It is a module of its own, so that the libraries it measures never appear in the module graph of a user. Run it with
// "make bench"; the output is what benchstat reads. What DynamoDB costs is measured by the program in dynamodb, because it
// needs a server in another process: "make bench-dynamodb".
package bench
