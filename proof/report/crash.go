package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readCrash reads what proof/crash wrote: a row for each point on each store.
func readCrash(out output) ([]row, error) {
	var c figures.Crash
	if err := json.Unmarshal(out.figures, &c); err != nil {
		return nil, err
	}
	var rows []row
	kills, orders, effects := 0, 0, 0
	var found []string
	for _, b := range c.Beds {
		orders, effects = orders+b.Orders, effects+b.Effects
		found = append(found, b.Faults...)
		if b.Error != "" {
			why, _, _ := strings.Cut(b.Error, "\n")
			found = append(found, fmt.Sprintf("%s on %s was given up: %s", b.Worker, b.Store, why))
		}
		for _, k := range b.Kills {
			kills += k.Kills
			r := row{
				About: faults, What: fmt.Sprintf("killed with SIGKILL %s: %s on %s", k.Point, b.Worker, b.Store),
				By: "crashes", Times: k.Kills, Result: repeated(k.Doubled), Failed: len(b.Faults) > 0 || b.Error != "",
			}
			if r.Failed {
				r.Result = "see above"
			}
			rows = append(rows, r)
		}
	}
	good, bad := out.verdict("every order had its effect, none again once it was recorded")
	if len(found) > 0 {
		good, bad = strings.Join(found, "; "), true
	}
	return append([]row{{
		About: faults, What: "the example worker killed with SIGKILL", By: "crashes", Times: kills, Failed: bad,
		Result: fmt.Sprintf("%s; %s orders, %s effects", good, grouped(orders), grouped(effects)),
	}}, rows...), nil
}

// repeated says what became of effects that were had and not recorded.
func repeated(n int) string {
	switch n {
	case 0:
		return "nothing lost, nothing again"
	case 1:
		return "nothing lost; 1 effect again that was not recorded yet"
	}
	return fmt.Sprintf("nothing lost; %s effects again that were not recorded yet", grouped(n))
}
