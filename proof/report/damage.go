package main

import (
	"github.com/onlyonce-go/onlyonce/proof/figures"
)

// readDamage reads what the tests of boltdedupe told.
func readDamage(out output) ([]row, error) {
	said := map[string][2]string{
		"TestCrash": {
			"bbolt: a worker killed while it writes", "nothing that was answered lost",
		},
		"TestPowerFailure": {
			"bbolt: the power fails in mid-transaction", "nothing that was answered lost, the last transaction whole or not there",
		},
		"TestDiskThatLies": {
			"bbolt: the power fails on a disk that lies about syncs", "no process dies, no row is invented; rows may be lost",
		},
		"TestTruncatedAnywhere": {
			"bbolt: the file cut off anywhere", "all rows, or refused",
		},
		"TestPageOfGarbage": {
			"bbolt: a page of garbage", "nothing forgotten: refused, failed, or not in use",
		},
		"TestGarbageInPages": {
			"bbolt: garbage within pages", "no process dies, no row is invented; rows may be lost",
		},
	}
	var rows []row
	for _, a := range out.attributes("Test") {
		all, err := told[figures.Damage]([]attribute{a})
		if err != nil {
			return nil, err
		}
		names, ok := said[a.test]
		if !ok {
			names = [2]string{"bbolt: " + a.test, "as its test says"}
		}
		r := row{About: faults, What: names[0], By: "damage", Times: all[0].Tried}
		r.Result, r.Failed = out.verdict(names[1])
		if len(all[0].Found) > 0 {
			r.Result += " (" + counts(all[0].Found) + ")"
		}
		rows = append(rows, r)
	}
	inOrder(rows)
	return rows, nil
}
