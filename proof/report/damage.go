package main

import "github.com/onlyonce-go/onlyonce/proof/figures"

// readDamage reads what the tests of boltdedupe told.
func readDamage(out output) ([]row, error) {
	const whole = "refused, or every row there"
	said := map[string][2]string{
		"TestCrash":             {"bbolt: a worker killed while it writes", "nothing that was answered lost"},
		"TestPowerFailure":      {"bbolt: the power fails in mid-transaction", "nothing that was answered lost, the last transaction whole or not there"},
		"TestDiskThatLies":      {"bbolt: the power fails on a disk that lies about syncs", whole},
		"TestTruncatedAnywhere": {"bbolt: the file cut off anywhere", whole},
		"TestPageOfGarbage":     {"bbolt: a page of garbage", whole},
		"TestGarbageInPages":    {"bbolt: garbage within pages", whole},
		"TestPageFromBefore":    {"bbolt: a page, or all but the head, from before", whole},
		"TestTreeThatIsNone":    {"bbolt: sound pages that form no tree", "refused"},
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
