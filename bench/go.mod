module github.com/onlyonce-go/onlyonce/bench

go 1.26

replace github.com/onlyonce-go/onlyonce => ..
