// Command rawruntime speaks the Runtime API without a library, to say what no
// library would say. It answers its first invocation with the statuses it got.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"
	if os.Getenv("INIT_ERROR") != "" {
		status := post(base+"init/error", `{"errorType":"Extension.Missing","errorMessage":"no such thing","stackTrace":["a.py line 1"]}`)
		if status != http.StatusAccepted {
			log.Fatal("init/error answered ", status)
		}
		os.Exit(1)
	}
	var said []string
	say := func(what string, status int) { said = append(said, fmt.Sprintf("%s=%d", what, status)) }
	for {
		res, err := http.Get(base + "invocation/next")
		if err != nil {
			log.Fatal(err)
		}
		payload, err := io.ReadAll(res.Body)
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		url := base + "invocation/" + id
		if string(payload) == `"report"` {
			post(url+"/response", strings.Join(said, " "))
			continue
		}
		say("unknown", post(base+"invocation/no-such-id/response", "{}"))
		say("late-init", post(base+"init/error", "{}"))
		say("first", post(url+"/response", "{}"))
		say("second", post(url+"/response", "{}"))
		say("error-after", post(url+"/error", "{}"))
	}
}

func post(url, body string) int {
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
