module github.com/onlyonce-go/onlyonce/bench

go 1.26

replace github.com/onlyonce-go/onlyonce => ..

require github.com/onlyonce-go/onlyonce v0.0.0-00010101000000-000000000000

require (
	github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
)
