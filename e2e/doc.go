// Package e2e deploys template.yaml, with the example worker in it, on a
// machine of its own that serves the AWS APIs, and lets messages and events go
// through. It has nothing but tests.
package e2e
